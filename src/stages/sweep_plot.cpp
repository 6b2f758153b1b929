#include "sweep_plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace cinecortex::stages {
namespace {

// Lengths in pixels.
constexpr double plot_width = 300, plot_height = 250, margin_left = 64, margin_top = 66, panel_gap = 70;
constexpr double legend_width = 150, legend_line = 17, axis_height = 54;
constexpr std::array colours{"#2f5d8c", "#b5533c", "#4d8a57", "#8a6bb0",
                             "#c29a2e", "#3b9aa5", "#a8588b", "#6b6b6b"};
constexpr std::array dashes{"", "7 4", "2 3", "10 3 2 3", "1 5"};

std::string text(double x, double y, const std::string& content, const std::string& style) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" {}>{}</text>\n", x, y, style, content);
}

std::string line(double x1, double y1, double x2, double y2, const std::string& style) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" {}/>\n", x1, y1, x2, y2,
                     style);
}

template <class T>
std::size_t place(std::vector<T>& seen, const T& value) {
  const auto found = std::find(seen.begin(), seen.end(), value);
  if (found != seen.end()) return static_cast<std::size_t>(found - seen.begin());
  seen.push_back(value);
  return seen.size() - 1;
}

/// The vertical axis: round numbers around everything drawn, for lines that differ by little.
struct Axis {
  double low, high, step;
  double y(double r) const { return margin_top + plot_height * (1 - (r - low) / (high - low)); }
};

Axis make_axis(const std::vector<SweepMean>& means) {
  const auto [least, most] =
      std::minmax_element(means.begin(), means.end(), [](const auto& a, const auto& b) { return a.r < b.r; });
  const double span = std::max(most->r - least->r, 1e-3);
  const double power = std::pow(10.0, std::floor(std::log10(span / 3)));
  double step = power;
  for (const double factor : {2.0, 5.0, 10.0}) {
    if (span / step > 6) step = factor * power;
  }
  return {std::floor(least->r / step - 0.05) * step, std::ceil(most->r / step + 0.05) * step, step};
}

/// A space's panel.
class Panel {
 public:
  Panel(std::string space, std::vector<SweepMean> means, double left)
      : space_(std::move(space)), means_(std::move(means)), axis_(make_axis(means_)), left_(left) {
    for (const auto& mean : means_) {
      place(sizes_, mean.tried.components);
      if (std::none_of(designs_.begin(), designs_.end(),
                       [&](const auto& d) { return d.same_design(mean.tried); })) {
        designs_.push_back(mean.tried);
      }
    }
    std::sort(sizes_.begin(), sizes_.end());
  }

  double height() const {
    return std::max(margin_top + plot_height + axis_height,
                    margin_top + legend_line * static_cast<double>(designs_.size()) + 10);
  }

  std::string draw() const {
    std::string svg = text(left_, margin_top - 16, space_.empty() ? "all rows" : space_, "class=\"title\"");
    for (double r = axis_.low; r <= axis_.high + axis_.step / 2; r += axis_.step) {
      svg += line(left_, axis_.y(r), left_ + plot_width, axis_.y(r), "stroke=\"#e2e2e2\"");
      svg += text(left_ - 6, axis_.y(r) + 4, fmt::format("{:.{}f}", r, digits()),
                  "text-anchor=\"end\" class=\"tick\"");
    }
    for (const Index size : sizes_) {
      svg += text(x(size), margin_top + plot_height + 18, fmt::format("{}", size),
                  "text-anchor=\"middle\" class=\"tick\"");
    }
    svg += text(left_ + plot_width / 2, margin_top + plot_height + 38, "components",
                "text-anchor=\"middle\" class=\"tick\"");
    for (std::size_t i = 0; i < designs_.size(); ++i) svg += draw_design(i);
    const auto& best = best_of(means_);
    svg += fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"8\" fill=\"none\" stroke=\"#222\" stroke-width=\"1.5\"/>\n",
        x(best.tried.components), axis_.y(best.r));
    return svg;
  }

 private:
  int digits() const { return std::max(1, static_cast<int>(std::ceil(-std::log10(axis_.step) - 1e-9))); }

  /// Sizes grow by factors, so they stand at their logarithms.
  double x(Index size) const {
    if (sizes_.size() < 2) return left_ + plot_width / 2;
    const auto log = [](Index n) { return std::log(static_cast<double>(n)); };
    const double share = (log(size) - log(sizes_.front())) / (log(sizes_.back()) - log(sizes_.front()));
    return left_ + 16 + share * (plot_width - 32);
  }

  /// Colour by window and dash by delay, so that either can be followed by eye.
  std::string style(std::size_t design) const {
    std::vector<Index> windows, delays;
    std::size_t colour = design, dash = 0;
    for (std::size_t i = 0; i <= design && designs_[design].windowed; ++i) {
      colour = place(windows, designs_[i].window());
      dash = place(delays, designs_[i].delay());
    }
    return fmt::format("stroke=\"{}\" stroke-dasharray=\"{}\"", colours[colour % colours.size()],
                       dashes[dash % dashes.size()]);
  }

  std::string draw_design(std::size_t design) const {
    std::string points, dots;
    const std::string drawn = style(design);
    for (const Index size : sizes_) {
      for (const auto& mean : means_) {
        if (mean.tried.components != size || !mean.tried.same_design(designs_[design])) continue;
        points += fmt::format("{:.1f},{:.1f} ", x(size), axis_.y(mean.r));
        dots += fmt::format(
            "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"white\" {}><title>{} components, {}: "
            "{:.4f}</title></circle>\n",
            x(size), axis_.y(mean.r), drawn.substr(0, drawn.find(" stroke-dash")), size, mean.tried.label(),
            mean.r);
      }
    }
    const double legend_x = left_ + plot_width + 14;
    const double legend_y = margin_top + 6 + legend_line * static_cast<double>(design);
    return fmt::format("<polyline points=\"{}\" fill=\"none\" stroke-width=\"1.8\" {}/>\n", points, drawn) +
           dots + line(legend_x, legend_y, legend_x + 26, legend_y, "stroke-width=\"1.8\" " + drawn) +
           text(legend_x + 32, legend_y + 4, designs_[design].label(), "class=\"tick\"");
  }

  std::string space_;
  std::vector<SweepMean> means_;
  Axis axis_;
  double left_;
  std::vector<Index> sizes_;
  std::vector<SweepCase> designs_;
};

}  // namespace

std::string sweep_plot(const std::vector<SweepRow>& rows) {
  std::string panels;
  double left = margin_left, height = 0;
  for (const auto& space : sweep_spaces(rows)) {
    const Panel panel(space, sweep_means(rows, space), left);
    panels += panel.draw();
    height = std::max(height, panel.height());
    left += plot_width + legend_width + panel_gap;
  }
  const double width = left - panel_gap + 20;
  return fmt::format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" viewBox=\"0 0 "
             "{0:.0f} {1:.0f}\">\n"
             "<style>text {{ font: 13px sans-serif }} .tick {{ font-size: 11px; fill: #666 }} "
             ".title {{ font-weight: bold; font-size: 14px }}</style>\n"
             "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
             width, height) +
         text(margin_left, 24, "Mean held-out Pearson r over folds, subjects and targets; the best is ringed",
              "class=\"tick\"") +
         panels + "</svg>\n";
}

}  // namespace cinecortex::stages
