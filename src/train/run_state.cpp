#include "train/run_state.hpp"

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>

#include "models/state.hpp"
#include "unbraid/checkpoint/checkpoint.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::train {

namespace {

using Json = nlohmann::ordered_json;
constexpr const char* kKey = "unbraid.training";
constexpr int kLayoutVersion = 1;

checkpoint::Tensor stored(const torch::Tensor& tensor) {
  const bool floating = tensor.is_floating_point();
  const auto copy =
      std::make_shared<torch::Tensor>(tensor.detach().to(torch::kCPU, floating ? torch::kFloat32 : torch::kInt64).contiguous());
  return {floating ? checkpoint::Dtype::kF32 : checkpoint::Dtype::kI64,
          tensor.sizes().vec(),
          {copy, std::span(static_cast<const std::byte*>(copy->data_ptr()), copy->nbytes())}};
}

/// JSON has no infinity: null stands for "nothing yet".
Json score_json(double score) { return std::isfinite(score) ? Json(score) : Json(nullptr); }
double score_of(const Json& json) { return json.is_null() ? -std::numeric_limits<double>::infinity() : json.get<double>(); }

}  // namespace

void save_state_file(const std::filesystem::path& path, const RunState& state) {
  const Json json{
      {"version", kLayoutVersion},
      {"step", state.step},
      {"layout", state.layout},
      {"schedule",
       {{"best", score_json(state.schedule.best)}, {"since_best", state.schedule.since_best}, {"reductions", state.schedule.reductions}}},
      {"best_score", score_json(state.best_score)},
      {"since_best", state.since_best},
      {"validation_due", state.validation_due},
      {"seconds", state.seconds}};
  checkpoint::TensorMap tensors;
  for (const auto& [name, tensor] : state.tensors) tensors.add(name, stored(tensor));
  checkpoint::save_safetensors(path, tensors, {{kKey, json.dump()}});
}

RunState load_state_file(const std::filesystem::path& path) {
  const checkpoint::Checkpoint file = checkpoint::load(path);
  const auto found = file.metadata.find(kKey);
  if (found == file.metadata.end()) throw Error{ErrorCode::kFormat, "is no state of a training run", path.string()};
  RunState state;
  try {
    const Json json = Json::parse(found->second);
    if (json.at("version") != kLayoutVersion) throw Error{ErrorCode::kUnsupported, "is of a newer version", path.string()};
    state.step = json.at("step");
    state.layout = json.at("layout");
    state.schedule = {.best = score_of(json.at("schedule").at("best")),
                      .since_best = json.at("schedule").at("since_best"),
                      .reductions = json.at("schedule").at("reductions")};
    state.best_score = score_of(json.at("best_score"));
    state.since_best = json.at("since_best");
    state.validation_due = json.value("validation_due", false);
    state.seconds = json.at("seconds");
  } catch (const Json::exception& error) {
    throw Error{ErrorCode::kFormat, error.what(), path.string()};
  }
  for (const auto& [name, tensor] : file.tensors) state.tensors.emplace(name, models::to_torch(tensor));
  return state;
}

}  // namespace unbraid::train
