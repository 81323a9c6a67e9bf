#pragma once
// The plain data of a pickle as a configuration, for checkpoints that carry their own.
//
//   const Config metadata = pickled_config(*file.document->root->find("metadata"), "model.pth: metadata");
//   metadata.section("stft_params").get<std::vector<std::string>>("arguments")
//
// An instance of a class becomes {class: its dotted name, arguments: […], state: …, items: …}; tensors and other values
// that are no plain data become null. Nothing is executed.

#include "models/config.hpp"
#include "unbraid/checkpoint/value.hpp"

namespace unbraid::models {

/// kFormat when the value is no dictionary, or is nested or repeated without reasonable end.
Config pickled_config(const checkpoint::Value& value, const std::string& name);

}  // namespace unbraid::models
