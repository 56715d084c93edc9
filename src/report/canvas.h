// The drawing layer under every picture: the same calls give a PNG (Cairo) or an SVG that can stand inside an HTML page
// (text stays text, shapes carry tooltips). Coordinates are pixels from the top left. Output is deterministic.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace plimsoll::report {

struct Color {
    std::uint8_t red = 0, green = 0, blue = 0;
    double alpha = 1;
};

inline constexpr Color kInk{0x1f, 0x29, 0x37};
inline constexpr Color kMuted{0x6b, 0x72, 0x80};
inline constexpr Color kGrid{0xe5, 0xe7, 0xeb};
inline constexpr Color kWhite{0xff, 0xff, 0xff};
// Text and edges on a shape of a strong colour; a colour of its own, so that a dark page can turn it dark.
inline constexpr Color kOnShape{0xfe, 0xfe, 0xfe};
inline constexpr Color kOnOrange{0x11, 0x18, 0x27};
inline constexpr Color kBlue{0x2b, 0x6c, 0xb0};
inline constexpr Color kGreen{0x2f, 0x85, 0x5a};
inline constexpr Color kOrange{0xdd, 0x8b, 0x20};
inline constexpr Color kRed{0xc5, 0x30, 0x30};
inline constexpr Color kViolet{0x6b, 0x46, 0xc1};
inline constexpr Color kTeal{0x0e, 0x7c, 0x86};

struct Point {
    double x = 0, y = 0;
};

enum class Anchor : std::uint8_t { start, middle, end };
enum class Marker : std::uint8_t { circle, square, cross };

struct TextStyle {
    double size = 12;
    Color color = kInk;
    Anchor anchor = Anchor::start;
    bool bold = false;
    bool upright = false;  // turned 90° counter-clockwise, for y axis titles
};

class Canvas {
  public:
    virtual ~Canvas() = default;
    virtual void rectangle(Point corner, double width, double height, Color fill, std::string_view tooltip = {}) = 0;
    virtual void frame(Point corner, double width, double height, Color stroke) = 0;
    virtual void line(std::span<const Point> points, Color color, double width, bool dashed = false) = 0;
    virtual void marker(Point at, Marker kind, Color color, std::string_view tooltip = {}) = 0;
    virtual void text(Point baseline, std::string_view text, const TextStyle& style) = 0;
    // The picture's bytes; once. Errors: internal (Cairo refused the size).
    virtual Result<std::string> finish() = 0;

    double width() const { return width_; }
    double height() const { return height_; }

  protected:
    Canvas(double width, double height) : width_(width), height_(height) {}

  private:
    double width_, height_;
};

// `scale` pixels for each unit of the drawing: 2 for print.
std::unique_ptr<Canvas> make_png_canvas(double width, double height, double scale = 1);
// `label` is what a screen reader says.
std::unique_ptr<Canvas> make_svg_canvas(double width, double height, std::string_view label);

// &, <, >, " and ' escaped; control characters that XML forbids dropped.
std::string escape_html(std::string_view text);

// At most `max` code points, with an ellipsis where it was cut.
std::string shorten(std::string_view text, std::size_t max);

}  // namespace plimsoll::report
