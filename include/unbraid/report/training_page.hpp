#pragma once
// A training run as one page: curves, scores, configuration. No script, no network, opens from disk.
//
//   write_file_atomically("run/report.html", report::training_page("run"));

#include <filesystem>
#include <string>

namespace unbraid::report {

/// From log.csv, validation.csv and config.yaml of a run's folder. kNotFound without log.csv, kFormat when it is damaged.
std::string training_page(const std::filesystem::path& folder);

}  // namespace unbraid::report
