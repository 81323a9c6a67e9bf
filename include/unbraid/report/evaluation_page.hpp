#pragma once
// An evaluation as one HTML page that needs nothing else: no script from elsewhere, no style sheet, no picture file.
//
//   write_file_atomically(folder / "report.html", report::evaluation_page(result, {.title = "My model on MUSDB18"}));
//
// Shows the aggregate table, the tracks without scores, box plots of every metric, a sortable table, and for each track the scores
// over time, spectrograms of reference, estimate and their difference (where level grids were measured), and players
// for estimates whose file is known. Follows the reader's choice of light or dark and fits a phone's width.

#include <string>

#include "unbraid/evaluate/evaluate_dataset.hpp"

namespace unbraid::report {

struct EvaluationPageOptions {
  std::string title = "Evaluation";
};

std::string evaluation_page(const evaluate::DatasetResult& result, const EvaluationPageOptions& options = {});

}  // namespace unbraid::report
