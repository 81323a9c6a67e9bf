#include "train/session.hpp"
#include "nn/autocast.hpp"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "models/adapters.hpp"
#include "models/family.hpp"
#include "models/model_file.hpp"
#include "models/torch_separator.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"

namespace unbraid::train {

namespace {

using torch::Tensor;

std::shared_ptr<models::Model> build(const TrainConfig& config, torch::Device device) {
  std::shared_ptr<models::Model> model = models::make_model(config.architecture, config.model, config.seed);
  if (!config.start_from.empty()) models::load_weights(*model, config.start_from, config.start_partial);
  model->to(device);
  model->train();
  return model;
}

/// The processes of one machine share its GPUs out, unless one is named.
torch::Device device_named(const std::string& name) {
  const torch::Device device = models::choose_device(name);
  if (!device.is_cuda() || device.has_index()) return device;
  return {torch::kCUDA, static_cast<torch::DeviceIndex>(local_rank() % static_cast<int>(torch::cuda::device_count()))};
}

/// The mixture and its stems as the separator will see them: mean 0 and deviation 1 over the mean of the channels.
void normalize(Tensor& mix, Tensor& reference) {
  const Tensor mono = mix.mean(1, true);
  const Tensor mean = mono.mean(-1, true), deviation = mono.std(-1, /*unbiased=*/true, /*keepdim=*/true) + 1e-5;
  mix = (mix - mean) / deviation;
  reference = reference / deviation.unsqueeze(1);
}

}  // namespace

Session::Session(TrainConfig config, const std::string& device, const Processes& processes)
    : config_(std::move(config)),
      processes_(processes),
      device_(device_named(device)),
      model_(build(config_, device_)),
      shape_{.items = config_.batch,
             .channels = model_->traits().channels,
             .targets = static_cast<std::int64_t>(model_->traits().stems.size()),
             .frames = config_.frames},
      flat_(*model_),
      optimizer_(make_optimizer(config_.optimizer, flat_.values())),
      schedule_(config_.schedule, config_.optimizer.learning_rate, config_.steps) {
  if (config_.average_decay > 0) average_ = flat_.values().clone();
  state_.layout = flat_.layout();
}

std::vector<std::uint64_t> Session::items_of(std::uint64_t batch) const {
  const auto size = static_cast<std::uint64_t>(shape_.items);
  const auto share = batch * static_cast<std::uint64_t>(processes_.count()) + static_cast<std::uint64_t>(processes_.rank());
  std::vector<std::uint64_t> indices(size);
  std::iota(indices.begin(), indices.end(), share * size);
  return indices;
}

void Session::fit_input(const Items& items) {
  constexpr std::uint64_t kLooks = 32;
  std::vector<Tensor> mixtures;
  for (std::uint64_t i = 0; i < kLooks; ++i) mixtures.push_back(make_batch(items, shape_, {i}).mix[0].to(device_));
  const torch::NoGradGuard no_gradient;
  model_->fit_input(mixtures);
}

Session::Outcome Session::step(const std::vector<Batch>& batches, bool stop) {
  // The random numbers of a step, those of dropout, depend on its number and the process alone.
  const auto processes = static_cast<std::uint64_t>(processes_.count()), rank = static_cast<std::uint64_t>(processes_.rank());
  torch::manual_seed(Rng(config_.seed, state_.step * processes + rank).bits64());
  Outcome outcome;
  outcome.record.learning_rate = schedule_.rate(state_.step);
  flat_.gradients().zero_();
  for (const Batch& batch : batches) {
    Separated data{.mix = batch.mix.to(device_), .reference = batch.reference.to(device_), .stems = model_->traits().stems};
    if (model_->traits().normalize != Normalization::kNone) normalize(data.mix, data.reference);
    Tensor loss;
    {
      const nn::Autocast autocast(config_.bf16, device_);
      loss = total_loss(config_.losses, data, *model_) / static_cast<double>(batches.size());
    }
    loss.backward();
    outcome.record.loss += loss.item<double>();
  }
  processes_.average(flat_.gradients());
  Tensor together = torch::tensor({outcome.record.loss, stop ? 1.0 : 0.0}, torch::kFloat32);
  processes_.average(together);
  if (processes_.count() > 1) outcome.record.loss = together[0].item<double>();
  outcome.stop = together[1].item<double>() > 0;
  const double norm = flat_.gradients().norm().item<double>();
  outcome.record.gradient_norm = norm;
  outcome.record.step = state_.step + 1;
  outcome.healthy = std::isfinite(norm) && std::abs(outcome.record.loss) <= config_.divergence;
  if (!outcome.healthy) return outcome;
  if (config_.clip_norm > 0 && norm > config_.clip_norm) flat_.gradients().mul_(config_.clip_norm / norm);
  optimizer_->step(flat_.values(), flat_.gradients(), outcome.record.learning_rate);
  ++state_.step;
  if (average_.defined()) {
    // The first steps count more, or the start would stay in the average for 1 / (1 − decay) steps.
    const double step = static_cast<double>(state_.step);
    const double decay = std::min(config_.average_decay, (1 + step) / (10 + step));
    average_.lerp_(flat_.values(), 1 - decay);
  }
  return outcome;
}

Session::Averaged::Averaged(Session& session) : session_(session) {
  if (!session_.average_.defined()) return;
  kept_ = session_.flat_.values().clone();
  session_.flat_.values().copy_(session_.average_);
}

Session::Averaged::~Averaged() {
  if (kept_.defined()) session_.flat_.values().copy_(kept_);
}

bool Session::observe(double score) {
  Tensor of_first = torch::tensor({score}, torch::kFloat64);
  processes_.share(of_first);
  score = of_first.item<double>();
  schedule_.observe(score);
  state_.validation_due = false;
  if (std::isnan(score)) return false;
  const bool best = score > state_.best_score;
  if (best) state_.best_score = score;
  state_.since_best = best ? 0 : state_.since_best + 1;
  return best;
}

bool Session::stopped_early() const {
  const std::size_t patience = config_.validation.patience;
  return patience > 0 && state_.since_best >= patience;
}

RunState Session::gathered() {
  state_.schedule = schedule_.state();
  state_.tensors = {{"values", flat_.values()}};
  if (average_.defined()) state_.tensors["average"] = average_;
  for (const auto& [name, tensor] : optimizer_->memory()) state_.tensors["optimizer." + name] = tensor;
  for (const auto& buffer : model_->named_buffers()) state_.tensors["buffers." + buffer.key()] = buffer.value();
  return state_;
}

void Session::save(const std::filesystem::path& path) { save_state_file(path, gathered()); }

std::uint64_t Session::state_bytes() {
  std::uint64_t bytes = 0;
  for (const auto& [name, tensor] : gathered().tensors) bytes += tensor.nbytes();
  return bytes;
}

void Session::restore(const std::filesystem::path& path) {
  RunState state = load_state_file(path);
  if (state.layout != flat_.layout())
    throw Error{ErrorCode::kUsage, "is the state of another model: its parameters have other names or shapes", path.string()};
  const torch::NoGradGuard no_gradient;
  const auto fill = [&](const std::string& name, Tensor target) {
    const auto found = state.tensors.find(name);
    if (found == state.tensors.end() || found->second.sizes() != target.sizes())
      throw Error{ErrorCode::kUsage, fmt::format("is the state of another configuration: it has no fitting '{}'", name), path.string()};
    target.copy_(found->second);
  };
  fill("values", flat_.values());
  if (average_.defined()) fill("average", average_);
  for (const auto& [name, tensor] : optimizer_->memory()) fill("optimizer." + name, tensor);
  for (const auto& buffer : model_->named_buffers()) fill("buffers." + buffer.key(), buffer.value());
  optimizer_->set_steps(state.step);
  schedule_.restore(state.schedule);
  state.tensors.clear();
  state_ = std::move(state);
}

void Session::save_model_file(const std::filesystem::path& path, const ValidationRecord* scores) {
  nlohmann::ordered_json training{{"steps", state_.step},
                                  {"items_per_step", config_.batch * config_.accumulate * processes_.count()},
                                  {"seconds", std::round(state_.seconds)},
                                  {"device", device_.str()},
                                  {"configuration", config_.text}};
  if (scores) {
    auto& validation = training["validation"];
    for (const TargetScores& target : scores->targets)
      if (target.tracks > 0) validation[target.target] = {{"sdr", target.sdr}, {"si_sdr", target.si_sdr}};
  }
  models::ModelCard card{.training = training.dump()};
  const std::pair<const char*, std::string*> known[] = {{"name", &card.name},
                                                        {"description", &card.description},
                                                        {"author", &card.author},
                                                        {"licence", &card.licence},
                                                        {"source", &card.source}};
  for (const auto& [key, value] : config_.card) {
    const auto place = std::ranges::find(known, key, [](const auto& entry) { return std::string(entry.first); });
    (place != std::end(known) ? *place->second : card.more[key]) = value;
  }
  const Averaged averaged(*this);
  models::save_model(path, *model_, card);
  if (!config_.model.has("lora")) return;
  std::filesystem::path adapters = path;
  models::save_adapters(adapters.replace_filename(path.stem().string() + "_lora.safetensors"), *model_,
                        {{"unbraid.start_from", config_.start_from.filename().string()}});
}

}  // namespace unbraid::train
