#include "report/quoted_scores.hpp"

namespace unbraid::report {

namespace {

constexpr std::string_view kMusdb = "MUSDB18-HQ test", kMultisong = "Multisong", kAll = "all stems";
constexpr std::string_view kReported = "reported by its authors or the community's leaderboards";
constexpr std::string_view kDeepConvSep = "Chandna et al., LVA/ICA 2017, table 1 (mean of the test songs)";
constexpr std::string_view kRepeated = "a re-implementation's own evaluation (mean of the test songs)";
constexpr std::string_view kMaskInference = "a student project's own evaluation after 25 short epochs (mean of the tracks)";
constexpr std::string_view kOracle = "an oracle notebook, first 10 s of one BabySlakh track (mean of seven stems)";

constexpr QuotedScore kQuoted[] = {
    {"Open-Unmix UMXHQ", kMusdb, "vocals", "SDR", 6.25, kReported},
    {"Open-Unmix UMXL", kMusdb, "vocals", "SDR", 7.21, kReported},
    {"Spleeter", kMusdb, kAll, "SDR", 5.9, kReported},
    {"BS-RoFormer, MUSDB18 only", kMusdb, kAll, "SDR", 9.65, kReported},
    {"SCNet small", kMusdb, kAll, "SDR", 9.03, kReported},
    {"SCNet large", kMusdb, kAll, "SDR", 9.70, kReported},
    {"SCNet XL", kMusdb, kAll, "SDR", 9.80, kReported},
    {"HDemucs", kMultisong, kAll, "SDR", 8.88, kReported},
    {"HTDemucs", kMultisong, kAll, "SDR", 9.16, kReported},
    {"HTDemucs_ft", kMultisong, "vocals", "SDR", 8.38, kReported},
    {"HTDemucs_ft", kMultisong, "drums", "SDR", 11.13, kReported},
    {"HTDemucs_ft", kMultisong, "bass", "SDR", 11.96, kReported},
    {"HTDemucs_ft", kMultisong, "other", "SDR", 5.85, kReported},
    {"MDX23C", kMultisong, "vocals", "SDR", 10.17, kReported},
    {"BS-RoFormer ep_317", kMultisong, "vocals", "SDR", 10.87, kReported},
    {"Mel-RoFormer (Kim)", kMultisong, "vocals", "SDR", 10.98, kReported},
    {"BS-Mamba2", kMultisong, "vocals", "SDR", 8.82, kReported},
    {"DeepConvSep", "DSD100 test", "vocals", "SDR", 0.8, kDeepConvSep},
    {"DeepConvSep", "DSD100 test", "drums", "SDR", 2.4, kDeepConvSep},
    {"DeepConvSep", "DSD100 test", "bass", "SDR", 0.9, kDeepConvSep},
    {"DeepConvSep", "DSD100 test", "other", "SDR", 1.3, kDeepConvSep},
    {"DeepConvSep in Keras, mono", "DSD100 test", "vocals", "scalar-projection SDR", -0.609, kRepeated},
    {"DeepConvSep in Keras, mono", "DSD100 test", "drums", "scalar-projection SDR", -0.620, kRepeated},
    {"DeepConvSep in Keras, mono", "DSD100 test", "bass", "scalar-projection SDR", -2.084, kRepeated},
    {"DeepConvSep in Keras, mono", "DSD100 test", "other", "scalar-projection SDR", -2.839, kRepeated},
    {"BLSTM mask inference", "MUSDB18 test", "vocals", "SI-SDR", 1.08, kMaskInference},
    {"BLSTM mask inference", "MUSDB18 test", "accompaniment", "SI-SDR", 6.79, kMaskInference},
    {"oracle IBM", "BabySlakh Track00010", kAll, "SI-SDR", 4.18, kOracle},
    {"oracle IRM", "BabySlakh Track00010", kAll, "SI-SDR", 4.46, kOracle},
    {"oracle Wiener p=2", "BabySlakh Track00010", kAll, "SI-SDR", 5.19, kOracle},
};

}  // namespace

std::span<const QuotedScore> quoted_scores() { return kQuoted; }

}  // namespace unbraid::report
