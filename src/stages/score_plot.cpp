#include "score_plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cinecortex/encoding/scores.hpp"

namespace cinecortex::stages {
namespace {

// Lengths in pixels.
constexpr double bar_width = 46, bar_gap = 18, panel_gap = 70, margin_left = 60, margin_top = 56,
                 plot_height = 240;
constexpr double label_height = 96;
constexpr const char* space_colour = "#8fb3d9";
constexpr const char* stack_colour = "#2f5d8c";
constexpr const char* ceiling_colour = "#b5533c";

std::string text(double x, double y, const std::string& content, const char* style) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" {}>{}</text>\n", x, y, style, content);
}

std::string line(double x1, double y1, double x2, double y2, const char* style) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" {}/>\n", x1, y1, x2, y2,
                     style);
}

/// The vertical axis: r from 0 to a round number above everything drawn.
struct Axis {
  double top;
  double y(double r) const { return margin_top + plot_height * (1 - std::max(r, 0.0) / top); }
};

Axis make_axis(const Scoreboard& board) {
  double most = 0.1;
  for (const auto& score : board.scores()) most = std::max(most, encoding::mean(score.r));
  return {std::ceil(most * 10 + 0.2) / 10};
}

struct Panel {
  std::string group;
  std::vector<std::string> models;  ///< without the ceiling
  double left = 0;
  double width() const { return static_cast<double>(models.size()) * (bar_width + bar_gap) + bar_gap; }
};

std::string draw_axis(const Panel& panel, const Axis& axis) {
  std::string svg;
  for (double r = 0; r <= axis.top + 1e-9; r += 0.1) {
    svg += line(panel.left, axis.y(r), panel.left + panel.width(), axis.y(r), "stroke=\"#e2e2e2\"");
    svg +=
        text(panel.left - 6, axis.y(r) + 4, fmt::format("{:.1f}", r), "text-anchor=\"end\" class=\"tick\"");
  }
  return svg;
}

std::string draw_bar(const Panel& panel, std::size_t position, const Scoreboard& board, const Axis& axis) {
  const auto& model = panel.models[position];
  const double x = panel.left + bar_gap + static_cast<double>(position) * (bar_width + bar_gap);
  const double middle = x + bar_width / 2, r = board.mean(model, panel.group);
  std::string svg = fmt::format(
      "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{}\" height=\"{:.1f}\" fill=\"{}\"/>\n", x, axis.y(r),
      bar_width, axis.y(0) - axis.y(r), model == stacked_model ? stack_colour : space_colour);
  for (const auto& subject : board.subjects(panel.group)) {
    if (const auto* score = board.find(subject, model, panel.group)) {
      svg += fmt::format(
          "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" class=\"subject\"><title>{}: "
          "{:.4f}</title></circle>\n",
          middle, axis.y(encoding::mean(score->r)), subject, encoding::mean(score->r));
    }
  }
  svg += text(middle, axis.y(0) + 16, fmt::format("{:.3f}", r), "text-anchor=\"middle\" class=\"tick\"");
  svg +=
      fmt::format("<text transform=\"translate({:.1f},{:.1f}) rotate(-35)\" text-anchor=\"end\">{}</text>\n",
                  middle + 4, axis.y(0) + 32, model);
  return svg;
}

std::string draw_panel(const Panel& panel, const Scoreboard& board, const Axis& axis) {
  std::string svg = draw_axis(panel, axis);
  svg += text(panel.left, margin_top - 14, panel.group, "class=\"title\"");
  for (std::size_t i = 0; i < panel.models.size(); ++i) svg += draw_bar(panel, i, board, axis);
  const auto models = board.models(panel.group);
  if (std::find(models.begin(), models.end(), ceiling_model) != models.end()) {
    const double y = axis.y(board.mean(ceiling_model, panel.group)), right = panel.left + panel.width();
    svg += line(
        panel.left, y, right, y,
        fmt::format("stroke=\"{}\" stroke-width=\"2\" stroke-dasharray=\"6 4\"", ceiling_colour).c_str());
    svg += text(right, y - 5, ceiling_model,
                fmt::format("text-anchor=\"end\" fill=\"{}\"", ceiling_colour).c_str());
  }
  return svg;
}

}  // namespace

std::string score_plot(const Scoreboard& board) {
  const Axis axis = make_axis(board);
  std::string panels;
  double left = margin_left;
  for (const auto& group : board.groups()) {
    Panel panel{group, board.models(group), left};
    std::erase(panel.models, ceiling_model);
    panels += draw_panel(panel, board, axis);
    left += panel.width() + panel_gap;
  }
  const double width = left - panel_gap + 20, height = margin_top + plot_height + label_height;
  return fmt::format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" viewBox=\"0 0 "
             "{0:.0f} {1:.0f}\">\n"
             "<style>text {{ font: 13px sans-serif }} .tick {{ font-size: 11px; fill: #666 }} "
             ".title {{ font-weight: bold; font-size: 14px }} .subject {{ fill: #222; fill-opacity: 0.55 "
             "}}</style>\n"
             "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
             width, height) +
         text(margin_left, 20, "Pearson r on held-out runs: bars are means over subjects, dots are subjects",
              "class=\"tick\"") +
         panels + "</svg>\n";
}

}  // namespace cinecortex::stages
