// The whole way, on tiny data: configurations, resuming, what the folder holds.

#include "unbraid/train/train.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <sstream>

#include "support/fixtures.hpp"
#include "support/signals.hpp"
#include "unbraid/checkpoint/checkpoint.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"
#include "unbraid/io/writer.hpp"

namespace unbraid::train {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryFolder;

constexpr double kRate = 8000;

void write_wav(const fs::path& path, const AudioBuffer& audio) {
  fs::create_directories(path.parent_path());
  const auto writer = io::create_writer(path, {.sample_rate = kRate, .channels = audio.channels()});
  writer->write(audio);
  writer->finish();
}

/// Two pools of single stems, as training packs have them: low tones and noise bursts.
void write_pools(const fs::path& folder) {
  for (int i = 0; i < 3; ++i) {
    AudioBuffer tone(1, 16000), noise(1, 16000);
    Rng rng(7, static_cast<std::uint64_t>(i));
    for (std::size_t n = 0; n < tone.frames(); ++n) {
      tone.channel(0)[n] = static_cast<float>(0.3 * std::sin(0.05 * (i + 1) * static_cast<double>(n)));
      noise.channel(0)[n] = n % 2000 < 600 ? static_cast<float>(rng.uniform(-0.3, 0.3)) : 0.0f;
    }
    write_wav(folder / "bass" / ("bass" + std::to_string(i) + ".wav"), tone);
    write_wav(folder / "drums" / ("drums" + std::to_string(i) + ".wav"), noise);
  }
}

const char* const kConfig = R"yaml(
architecture: scnet
seed: 5
audio: {sample_rate: 8000, num_channels: 1, chunk_size: 2048}
model:
  sources: [bass, drums]
  audio_channels: 1
  dims: [2, 4, 8]
  nfft: 256
  hop_size: 64
  win_size: 256
  normalized: true
  band_SR: [0.25, 0.35, 0.4]
  band_stride: [1, 2, 4]
  band_kernel: [3, 4, 4]
  conv_depths: [1, 1, 1]
  compress: 2
  conv_kernel: 3
  num_dplayer: 2
  expand: 1
training:
  instruments: [bass, drums]
  steps: 8
  batch: 2
  average_decay: 0.9
  checkpoint_steps: 3
  clip_norm: 5
inference: {num_overlap: 2}
data:
  sources: {path: ".", only: ["*0", "*1"]}
  cache_mb: 16
  mixtures:
    stems: [bass, drums]
    coherent: 0
    event: {source_time: [uniform, 0, 9], snr: [uniform, -3, 3]}
validation:
  sources: {path: ".", only: ["*2"]}
  mixtures: {stems: [bass, drums], coherent: 0, count: 2, duration_s: 1, event: {snr: 0}}
  every_steps: 4
loss: [{name: l1}, {name: complex_stft, n_ffts: [256, 64], weight: 0.5}]
optimizer: {name: adamw, learning_rate: 0.003}
schedule: {name: cosine, warmup_steps: 2}
)yaml";

class Collected : public Observer {
 public:
  explicit Collected(std::uint64_t stop_at = 0, CancelSource* stop = nullptr) : stop_at_(stop_at), stop_(stop) {}
  void note(const std::string&) override {}
  void stepped(const StepRecord& step) override {
    steps.push_back(step);
    if (stop_ && step.step == stop_at_) stop_->cancel();
  }
  void validated(const ValidationRecord& validation) override { validations.push_back(validation); }

  std::vector<StepRecord> steps;
  std::vector<ValidationRecord> validations;

 private:
  std::uint64_t stop_at_;
  CancelSource* stop_;
};

class TrainerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    write_pools(folder_.path());
    std::ofstream(folder_ / "tiny.yaml") << kConfig;
  }
  Request request(const char* output, std::vector<std::string> overrides = {}) const {
    return {.config = folder_ / "tiny.yaml", .overrides = std::move(overrides), .output = folder_ / output, .device = "cpu"};
  }
  Summary train(const Request& of, Collected& collected, CancelToken cancel = {}, Progress progress = {}) {
    ThreadPool pool(1);
    RunContext run{.pool = pool, .progress = std::move(progress), .cancel = cancel};
    return open_trainer().train(of, collected, run);
  }
  /// The columns of log.csv that do not depend on the time.
  std::string curve(const char* output) const {
    std::ifstream file(folder_ / output / "log.csv");
    std::string line, curve;
    while (std::getline(file, line)) {
      std::stringstream cells(line);
      for (std::string cell; curve += cell + ",", std::getline(cells, cell, ',');)
        if (std::count(curve.begin() + static_cast<std::ptrdiff_t>(curve.rfind('\n') + 1), curve.end(), ',') > 4) break;
      curve += "\n";
    }
    return curve;
  }
  std::string text(const fs::path& relative) const {
    std::ifstream file(folder_ / relative, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  TemporaryFolder folder_;
};

TEST_F(TrainerTest, LearnsAndLeavesAModel) {
  Collected collected;
  const Summary summary = train(request("run", {"training.steps=60", "validation.every_steps=20"}), collected);
  EXPECT_EQ(summary.steps, 60u);
  ASSERT_EQ(collected.steps.size(), 60u);
  const auto mean = [&](std::size_t first) {
    double sum = 0;
    for (std::size_t i = first; i < first + 10; ++i) sum += collected.steps[i].loss / 10;
    return sum;
  };
  EXPECT_LT(mean(50), 0.7 * mean(0));
  ASSERT_EQ(collected.validations.size(), 3u);
  const ValidationRecord& last = collected.validations.back();
  ASSERT_EQ(last.targets.size(), 2u);
  EXPECT_GT(last.sdr, collected.validations.front().sdr + 0.3);
  for (const TargetScores& target : last.targets) {
    EXPECT_EQ(target.tracks, 2u);
    EXPECT_TRUE(std::isfinite(target.mix_sdr)) << target.target;
  }
  for (const char* file : {"config.yaml", "state.safetensors", "latest.safetensors", "best.safetensors", "log.csv", "validation.csv"})
    EXPECT_TRUE(fs::exists(folder_ / "run" / file)) << file;
}

TEST_F(TrainerTest, ResumedIsAsIfNeverStopped) {
  Collected straight;
  train(request("straight"), straight);
  // Stopped between checkpoints, which saves; then again from a state that is older than the log.
  CancelSource stop;
  Collected first(5, &stop);  // heard by the step after the fifth, in all processes at once
  Request part = request("parts");
  EXPECT_THROW(train(part, first, stop.token()), Error);
  EXPECT_EQ(first.steps.size(), 6u);
  fs::copy_file(folder_ / "parts/state.safetensors", folder_ / "old_state");
  part.resume = true;
  Collected second;
  train(part, second);
  EXPECT_EQ(second.steps.size(), 2u);
  EXPECT_EQ(curve("parts"), curve("straight"));

  fs::copy_file(folder_ / "old_state", folder_ / "parts/state.safetensors", fs::copy_options::overwrite_existing);
  Collected third;
  train(part, third);
  EXPECT_EQ(curve("parts"), curve("straight"));
  EXPECT_EQ(text("parts/validation.csv"), text("straight/validation.csv"));
  // The state differs in the seconds spent only; the models not at all but for these.
  ASSERT_EQ(third.steps.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(third.steps[i].loss, straight.steps[6 + i].loss);
}

TEST_F(TrainerTest, AStopDuringAValidationLosesNothing) {
  Collected straight;
  train(request("straight"), straight);
  for (const std::uint64_t which : {1u, 2u}) {  // that after the fourth step, and that at the end
    const std::string folder = "parts" + std::to_string(which);
    CancelSource stop;
    std::uint64_t validations = 0;
    Progress progress([&](const Progress::Update& update) {
      if (update.stage == "validate" && update.done == 1 && ++validations == which) stop.cancel();
    });
    Request part = request(folder.c_str());
    Collected first;
    try {
      train(part, first, stop.token(), progress);
      FAIL() << "went on";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kCancelled);
    }
    EXPECT_EQ(first.steps.size(), 4 * which);
    EXPECT_EQ(first.validations.size(), which - 1);
    part.resume = true;
    Collected second;
    train(part, second);
    EXPECT_EQ(second.steps.size(), 8 - 4 * which);
    EXPECT_EQ(curve(folder.c_str()), curve("straight"));
    EXPECT_EQ(text(fs::path(folder) / "validation.csv"), text("straight/validation.csv"));
  }
}

TEST_F(TrainerTest, AStopBeforeAValidationLosesNothing) {
  Collected straight;
  train(request("straight"), straight);
  CancelSource stop;
  Collected first(3, &stop);  // heard by the fourth step, after which a validation is due
  Request part = request("parts");
  EXPECT_THROW(train(part, first, stop.token()), Error);
  EXPECT_EQ(first.steps.size(), 4u);
  EXPECT_TRUE(first.validations.empty());
  part.resume = true;
  Collected second;
  train(part, second);
  EXPECT_EQ(curve("parts"), curve("straight"));
  EXPECT_EQ(text("parts/validation.csv"), text("straight/validation.csv"));
}

TEST_F(TrainerTest, GoesOnFromOtherWeights) {
  Collected base, tuned;
  train(request("base"), base);
  train(request("tuned", {"training.start_from=base/latest.safetensors", "training.steps=1", "validation={}", "optimizer.learning_rate=0"}),
        tuned);
  Collected anew;
  train(request("anew", {"training.steps=1", "validation={}"}), anew);
  EXPECT_LT(tuned.steps[0].loss, anew.steps[0].loss);  // the same batch
  // Without learning the average of the weights is what they began with.
  const checkpoint::Checkpoint before = checkpoint::load(folder_ / "base/latest.safetensors");
  const checkpoint::Checkpoint after = checkpoint::load(folder_ / "tuned/latest.safetensors");
  for (const auto& [name, tensor] : before.tensors) EXPECT_EQ(tensor.to_floats(), after.tensors.find(name)->to_floats()) << name;
  EXPECT_THROW(train(request("other", {"training.start_from=base/latest.safetensors", "model.dims=[2, 4, 6]"}), tuned), Error);
  EXPECT_THROW(train(request("none", {"training.start_from=none.safetensors"}), tuned), Error);
}

TEST_F(TrainerTest, AdaptersAreTrainedAlone) {
  const std::string roformer =
      "model={dim: 16, depth: 1, stereo: false, num_stems: 2, time_transformer_depth: 1, freq_transformer_depth: 1, "
      "heads: 2, dim_head: 8, stft_n_fft: 128, stft_hop_length: 32, stft_win_length: 128, "
      "freqs_per_bands: [5, 10, 20, 30]}";
  const std::vector<std::string> common{"architecture=bs_roformer", roformer, "validation.every_steps=8"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), common.begin(), common.end());
    return more;
  };
  Collected base, tuned, parts;
  train(request("base", with({"training.steps=1"})), base);
  const std::vector<std::string> lora = with({"training.start_from=base/latest.safetensors", "lora={r: 2, layers: [to_qkv, to_out]}"});
  train(request("tuned", lora), tuned);
  const checkpoint::Checkpoint before = checkpoint::load(folder_ / "base/latest.safetensors");
  const checkpoint::Checkpoint after = checkpoint::load(folder_ / "tuned/latest.safetensors");
  ASSERT_EQ(before.tensors.size(), after.tensors.size());
  for (const auto& [name, tensor] : before.tensors) {
    const bool adapted = name.ends_with("to_qkv.weight") || name.find("to_out") != std::string::npos;
    EXPECT_EQ(tensor.to_floats() != after.tensors.find(name)->to_floats(), adapted) << name;
  }
  EXPECT_EQ(checkpoint::load(folder_ / "tuned/latest_lora.safetensors").tensors.size(), 8u);
  EXPECT_TRUE(fs::exists(folder_ / "tuned/best_lora.safetensors"));

  CancelSource stop;
  Collected first(5, &stop);
  Request part = request("parts", lora);
  EXPECT_THROW(train(part, first, stop.token()), Error);
  part.resume = true;
  train(part, parts);
  EXPECT_EQ(curve("parts"), curve("tuned"));
  EXPECT_THROW(train(request("alone", with({"lora={r: 2}"})), tuned), Error);  // adapters of random weights
}

TEST_F(TrainerTest, WorkersDoNotChangeTheNumbers) {
  Collected one, three;
  train(request("one"), one);
  train(request("three", {"data.workers=3", "data.ahead=7"}), three);
  EXPECT_EQ(curve("one"), curve("three"));
}

TEST_F(TrainerTest, AccumulatingIsALargerBatch) {
  Collected large, halves;
  train(request("large", {"training.batch=4"}), large);
  train(request("halves", {"training.batch=2", "training.accumulate=2"}), halves);
  // The sums run in another order: float32 over some thousand values, and eight steps of it.
  for (std::size_t i = 0; i < large.steps.size(); ++i) EXPECT_NEAR(large.steps[i].loss, halves.steps[i].loss, 1e-4) << i;
}

TEST_F(TrainerTest, StopsEarlyWhenNothingImproves) {
  Collected collected;
  const Summary summary = train(
      request("run", {"training.steps=200", "validation.every_steps=2", "validation.patience=3", "optimizer.learning_rate=0"}), collected);
  EXPECT_TRUE(summary.stopped_early);
  EXPECT_EQ(summary.steps, 8u);  // the first is the best, three more are not
  Request more = request("run", {"training.steps=10", "validation.every_steps=2", "validation.patience=0", "optimizer.learning_rate=0"});
  more.resume = true;
  const Summary went_on = train(more, collected);
  EXPECT_FALSE(went_on.stopped_early);
  EXPECT_EQ(went_on.steps, 10u);
}

TEST_F(TrainerTest, ValidatesStemsOfOtherChannelsThanTheirMixture) {
  // One song three times: all mono; the mixture in two equal channels; the stems in two channels, of which the mean is the same.
  AudioBuffer bass(1, 8000), drums(1, 8000), mix(1, 8000);
  Rng rng(5);
  for (std::size_t n = 0; n < mix.frames(); ++n) {
    bass.channel(0)[n] = static_cast<float>(0.2 * std::sin(0.05 * static_cast<double>(n)));
    drums.channel(0)[n] = static_cast<float>(rng.uniform(-0.2, 0.2));
    mix.channel(0)[n] = bass.channel(0)[n] + drums.channel(0)[n];
  }
  const auto two = [](const AudioBuffer& mono, float left, float right) {
    AudioBuffer both(2, mono.frames());
    add_scaled(mono.view(), left, MutableAudioView(both.channel(0).data(), 1, mono.frames(), mono.frames()));
    add_scaled(mono.view(), right, MutableAudioView(both.channel(1).data(), 1, mono.frames(), mono.frames()));
    return both;
  };
  const auto write = [&](const char* folder, const AudioBuffer& m, const AudioBuffer& b, const AudioBuffer& d) {
    const fs::path song = folder_ / folder / "song";
    write_wav(song / "mixture.wav", m);
    write_wav(song / "bass.wav", b);
    write_wav(song / "drums.wav", d);
  };
  write("mono", mix, bass, drums);
  write("stereo", two(mix, 1, 1), bass, drums);
  write("wide", mix, two(bass, 2, 0), two(drums, 0, 2));
  std::vector<ValidationRecord> records;
  for (const std::string folder : {"mono", "stereo", "wide"}) {
    Collected collected;
    train(request(("run_" + folder).c_str(), {"training.steps=1", "validation={sources: {path: " + folder + "}, every_steps: 1}"}),
          collected);
    ASSERT_EQ(collected.validations.size(), 1u);
    records.push_back(collected.validations[0]);
  }
  for (const ValidationRecord& record : records)
    for (std::size_t s = 0; s < 2; ++s) {
      EXPECT_EQ(record.targets[s].tracks, 1u);
      // 16 bits per sample at a fifth of full scale: −84 dB.
      EXPECT_NEAR(record.targets[s].mix_sdr, records[0].targets[s].mix_sdr, 1e-2);
      EXPECT_NEAR(record.targets[s].sdr, records[0].targets[s].sdr, 1e-2);
    }
}

TEST_F(TrainerTest, AValidationThatScoresNothingIsRefused) {
  for (const char* stem : {"bass", "drums"}) write_wav(folder_ / "silent/song" / (std::string(stem) + ".wav"), AudioBuffer(1, 8000));
  Collected collected;
  try {
    train(request("run", {"validation={sources: {path: silent}, every_steps: 2}"}), collected);
    FAIL() << "went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_NE(std::string(error.what()).find("no stem sounds"), std::string::npos) << error.what();
  }
  EXPECT_EQ(collected.steps.size(), 2u);
}

TEST_F(TrainerTest, DeepConvSepLearnsInEveryDomain) {
  // Its excerpts are longer than an item: the estimate is, too.
  const std::vector<std::string> network = {"architecture=deepconvsep",
                                            "audio={sample_rate: 8000, num_channels: 1, n_fft: 256, hop_length: 64}",
                                            "model={frames: 25, filters: 4, time_filters: 4, hidden: 8}",
                                            "training={instruments: [bass, drums], steps: 2, batch: 2, frames: 2500}", "validation={}"};
  for (const std::string loss : {"{name: l1}", "{name: l1, domain: spectrum}", "{name: l1, domain: magnitude}",
                                 "{name: mrstft, n_ffts: [256]}", "{name: thresholded_snr}"}) {
    std::vector<std::string> overrides = network;
    overrides.push_back("loss=" + loss);
    Request of = request("run", overrides);
    of.overwrite = true;
    Collected collected;
    EXPECT_EQ(train(of, collected).steps, 2u) << loss;
  }
}

TEST_F(TrainerTest, DivergenceStopsWithItsBatch) {
  Collected collected;
  try {
    train(request("run", {"training.divergence=1e-6"}), collected);
    FAIL() << "went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kFormat);
    EXPECT_NE(error.message().find("step 1 gave the loss"), std::string::npos) << error.message();
  }
  EXPECT_GT(fs::file_size(folder_ / "run/failed_step_1.safetensors"), 2u * 2048 * 3 * sizeof(float));
}

TEST_F(TrainerTest, SongsInBlocks) {
  fs::create_directories(folder_ / "songs");
  for (int i = 0; i < 3; ++i)
    for (const char* stem : {"bass", "drums"}) {
      const fs::path song = folder_ / "songs" / ("song" + std::to_string(i));
      fs::create_directories(song);
      fs::copy_file(folder_ / stem / (std::string(stem) + std::to_string(i) + ".wav"), song / (std::string(stem) + ".wav"));
    }
  Collected collected;
  const std::vector<std::string> overrides = {"data={sources: {path: songs}, songs: {block: 2, step: 1, epochs: 2, repetitions: 1}}",
                                              "validation={}"};
  const Summary summary = train(request("run", overrides), collected);
  EXPECT_EQ(summary.steps, 8u);
  EXPECT_TRUE(summary.best.empty());
}

TEST_F(TrainerTest, RefusesWithTheNameOfTheKey) {
  const auto refuses = [&](std::vector<std::string> overrides, const std::string& words) {
    Collected collected;
    try {
      train(request("refused", std::move(overrides)), collected);
      FAIL() << "accepted: " << words;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage) << error.what();
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
    EXPECT_FALSE(fs::exists(folder_ / "refused/state.safetensors"));
  };
  refuses({"trainning.batch=2"}, "trainning");
  refuses({"training.bach=2"}, "training: unknown options: bach");
  refuses({"data.sources.pth=x"}, "pth");
  refuses({"data.mixtures.snr=3"}, "has no 'snr'");
  refuses({"loss.0.wieght=2"}, "loss[0]: unknown options: wieght");
  refuses({"loss.7.weight=2"}, "no position in a list of 2");
  refuses({"optimizer.name=adem"}, "optimizer.name");
  refuses({"training.batch=0"}, "training: batch");
  refuses({"training.batch=many"}, "batch");
  refuses({"training.batch.size=2"}, "a value above it");
  refuses({"nonsense"}, "key.key=value");
  refuses({"architecture=tasnet"}, "tasnet");
  refuses({"training.instruments=[bass, vocals]", "model.sources=[bass, vocals]"}, "no 'vocals'");
  refuses({"data.songs={}"}, "either mixtures or songs");
  refuses({"data.mixtures.sample_rate=16000"}, "8000 Hz");
  refuses({"training.precision=fp8"}, "precision");
  refuses({"data.sources.rename={bas: bass}"}, "no track has a stem 'bas'");
  refuses({"validation={sources: {path: ., rename: {bass: b, drums: d}}, length_s: 1}"}, "has one of the stems bass, drums");
}

TEST_F(TrainerTest, ARunIsNotOverwrittenByMistake) {
  Collected collected;
  train(request("run"), collected);
  EXPECT_THROW(train(request("run"), collected), Error);
  Request anew = request("run");
  anew.overwrite = true;
  Collected again;
  train(anew, again);
  EXPECT_EQ(again.steps.size(), 8u);
  Request other = request("run", {"model.dims=[2, 4, 6]"});
  other.resume = true;
  try {
    train(other, collected);
    FAIL() << "resumed the state of another model";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage) << error.what();
  }
}

TEST_F(TrainerTest, RehearsalWritesNothing) {
  ThreadPool pool(1);
  RunContext run{.pool = pool};
  const Rehearsal plan = open_trainer().rehearse(request("none"), run);
  EXPECT_EQ(plan.input, (std::vector<std::int64_t>{2, 1, 2048}));
  EXPECT_EQ(plan.output, (std::vector<std::int64_t>{2, 2, 1, 2048}));
  EXPECT_EQ(plan.tracks, 4u);
  EXPECT_GT(plan.parameters, 100u);
  // Weights, their average, and Adam's two memories, as float32.
  EXPECT_EQ(plan.state_bytes, plan.parameters * 16);
  EXPECT_FALSE(fs::exists(folder_ / "none"));
}

}  // namespace
}  // namespace unbraid::train
