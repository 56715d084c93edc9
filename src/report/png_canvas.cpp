#include <cairo.h>

#include <array>
#include <cmath>
#include <numbers>

#include "report/canvas.h"

namespace plimsoll::report {
namespace {

struct SurfaceDeleter {
    void operator()(cairo_surface_t* surface) const { cairo_surface_destroy(surface); }
};
struct ContextDeleter {
    void operator()(cairo_t* context) const { cairo_destroy(context); }
};

cairo_status_t append_bytes(void* closure, const unsigned char* data, unsigned length) {
    static_cast<std::string*>(closure)->append(reinterpret_cast<const char*>(data), length);
    return CAIRO_STATUS_SUCCESS;
}

class PngCanvas : public Canvas {
  public:
    PngCanvas(double width, double height, double scale)
        : Canvas(width, height),
          surface_(cairo_image_surface_create(CAIRO_FORMAT_RGB24, static_cast<int>(std::ceil(width * scale)),
                                              static_cast<int>(std::ceil(height * scale)))),
          context_(cairo_create(surface_.get())) {
        cairo_scale(context_.get(), scale, scale);
        set(kWhite);
        cairo_paint(context_.get());
    }

    void rectangle(Point corner, double width, double height, Color fill, std::string_view) override {
        set(fill);
        cairo_rectangle(context_.get(), corner.x, corner.y, width, height);
        cairo_fill(context_.get());
    }

    void frame(Point corner, double width, double height, Color stroke) override {
        set(stroke);
        cairo_set_line_width(context_.get(), 1);
        cairo_rectangle(context_.get(), corner.x, corner.y, width, height);
        cairo_stroke(context_.get());
    }

    void line(std::span<const Point> points, Color color, double width, bool dashed) override {
        if (points.empty()) return;
        set(color);
        cairo_set_line_width(context_.get(), width);
        constexpr std::array kDashes = {6.0, 4.0};
        if (dashed) cairo_set_dash(context_.get(), kDashes.data(), kDashes.size(), 0);
        cairo_move_to(context_.get(), points[0].x, points[0].y);
        for (const Point& point : points.subspan(1)) cairo_line_to(context_.get(), point.x, point.y);
        cairo_stroke(context_.get());
        cairo_set_dash(context_.get(), nullptr, 0, 0);
    }

    void marker(Point at, Marker kind, Color color, std::string_view tooltip) override {
        switch (kind) {
            case Marker::circle:
                set(color);
                cairo_arc(context_.get(), at.x, at.y, 4, 0, 2 * std::numbers::pi);
                cairo_fill(context_.get());
                return;
            case Marker::square: return rectangle({at.x - 4, at.y - 4}, 8, 8, color, tooltip);
            case Marker::cross: {
                const std::array down = {Point{at.x - 4, at.y - 4}, Point{at.x + 4, at.y + 4}};
                const std::array up = {Point{at.x - 4, at.y + 4}, Point{at.x + 4, at.y - 4}};
                line(down, color, 2, false);
                line(up, color, 2, false);
                return;
            }
        }
    }

    void text(Point baseline, std::string_view text, const TextStyle& style) override {
        const std::string terminated(text);
        set(style.color);
        cairo_select_font_face(context_.get(), "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL,
                               style.bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
        cairo_set_font_size(context_.get(), style.size);
        cairo_text_extents_t extents;
        cairo_text_extents(context_.get(), terminated.c_str(), &extents);
        const double shift = style.anchor == Anchor::start    ? 0
                             : style.anchor == Anchor::middle ? -extents.x_advance / 2
                                                              : -extents.x_advance;
        cairo_save(context_.get());
        cairo_translate(context_.get(), baseline.x, baseline.y);
        if (style.upright) cairo_rotate(context_.get(), -std::numbers::pi / 2);
        cairo_move_to(context_.get(), shift, 0);
        cairo_show_text(context_.get(), terminated.c_str());
        cairo_restore(context_.get());
    }

    Result<std::string> finish() override {
        std::string bytes;
        const cairo_status_t drawn = cairo_status(context_.get());
        if (drawn != CAIRO_STATUS_SUCCESS) return fail(ErrorCode::internal, cairo_status_to_string(drawn));
        const cairo_status_t written = cairo_surface_write_to_png_stream(surface_.get(), append_bytes, &bytes);
        if (written != CAIRO_STATUS_SUCCESS) return fail(ErrorCode::internal, cairo_status_to_string(written));
        return bytes;
    }

  private:
    void set(Color color) {
        cairo_set_source_rgba(context_.get(), color.red / 255.0, color.green / 255.0, color.blue / 255.0, color.alpha);
    }

    std::unique_ptr<cairo_surface_t, SurfaceDeleter> surface_;
    std::unique_ptr<cairo_t, ContextDeleter> context_;
};

}  // namespace

std::unique_ptr<Canvas> make_png_canvas(double width, double height, double scale) {
    return std::make_unique<PngCanvas>(width, height, scale);
}

}  // namespace plimsoll::report
