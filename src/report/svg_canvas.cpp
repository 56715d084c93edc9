#include <fmt/format.h>

#include "report/canvas.h"

namespace plimsoll::report {
namespace {

std::string css(Color color) {
    if (color.alpha >= 1) return fmt::format("#{:02x}{:02x}{:02x}", color.red, color.green, color.blue);
    return fmt::format("rgba({},{},{},{:.2f})", color.red, color.green, color.blue, color.alpha);
}

class SvgCanvas : public Canvas {
  public:
    SvgCanvas(double width, double height, std::string_view label) : Canvas(width, height) {
        out_ = fmt::format(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" role=\"img\" aria-label=\"{2}\" "
            "font-family=\"system-ui,'Segoe UI','DejaVu Sans',sans-serif\">\n",
            width, height, escape_html(label));
    }

    void rectangle(Point corner, double width, double height, Color fill, std::string_view tooltip) override {
        out_ += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\"", corner.x, corner.y, width,
                            height, css(fill));
        close("rect", tooltip);
    }

    void frame(Point corner, double width, double height, Color stroke) override {
        out_ += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"none\" stroke=\"{}\"/>\n", corner.x,
                            corner.y, width, height, css(stroke));
    }

    void line(std::span<const Point> points, Color color, double width, bool dashed) override {
        out_ += "<polyline fill=\"none\" points=\"";
        for (const Point& point : points) out_ += fmt::format("{:.1f},{:.1f} ", point.x, point.y);
        out_ += fmt::format("\" stroke=\"{}\" stroke-width=\"{:.1f}\"{}/>\n", css(color), width, dashed ? " stroke-dasharray=\"6 4\"" : "");
    }

    void marker(Point at, Marker kind, Color color, std::string_view tooltip) override {
        switch (kind) {
            case Marker::circle:
                out_ += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\" fill=\"{}\"", at.x, at.y, css(color));
                return close("circle", tooltip);
            case Marker::square: return rectangle({at.x - 4, at.y - 4}, 8, 8, color, tooltip);
            case Marker::cross:
                out_ += fmt::format("<path d=\"M{0:.1f} {1:.1f}l8 8m0 -8l-8 8\" stroke=\"{2}\" stroke-width=\"2\"", at.x - 4, at.y - 4,
                                    css(color));
                return close("path", tooltip);
        }
    }

    void text(Point baseline, std::string_view text, const TextStyle& style) override {
        constexpr std::string_view kAnchors[] = {"start", "middle", "end"};
        out_ += fmt::format(
            "<text x=\"{0:.1f}\" y=\"{1:.1f}\" font-size=\"{2:.1f}\" fill=\"{3}\" text-anchor=\"{4}\"{5}{6}>{7}</text>\n", baseline.x,
            baseline.y, style.size, css(style.color), kAnchors[static_cast<int>(style.anchor)], style.bold ? " font-weight=\"600\"" : "",
            style.upright ? fmt::format(" transform=\"rotate(-90 {:.1f} {:.1f})\"", baseline.x, baseline.y) : "", escape_html(text));
    }

    Result<std::string> finish() override { return std::move(out_) + "</svg>\n"; }

  private:
    void close(std::string_view element, std::string_view tooltip) {
        if (tooltip.empty())
            out_ += "/>\n";
        else
            out_ += fmt::format("><title>{}</title></{}>\n", escape_html(tooltip), element);
    }

    std::string out_;
};

}  // namespace

std::unique_ptr<Canvas> make_svg_canvas(double width, double height, std::string_view label) {
    return std::make_unique<SvgCanvas>(width, height, label);
}

std::string escape_html(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '"': out += "&quot;"; break;
            case '\'': out += "&#39;"; break;
            default:
                if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t') out += c;
        }
    }
    return out;
}

std::string shorten(std::string_view text, std::size_t max) {
    std::size_t code_points = 0;
    std::size_t cut = 0;  // where the code point before the last allowed one ends
    for (std::size_t i = 0; i < text.size(); ++i) {
        if ((static_cast<unsigned char>(text[i]) & 0xc0) == 0x80) continue;
        if (++code_points == max) cut = i;
        if (code_points > max) return std::string(text.substr(0, cut)) + "…";
    }
    return std::string(text);
}

}  // namespace plimsoll::report
