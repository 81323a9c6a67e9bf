#pragma once
// libsndfile on a ByteFile.

#include <sndfile.h>

#include <array>
#include <memory>
#include <string_view>
#include <utility>

#include "io/byte_file.hpp"

namespace unbraid::io {

struct CloseSndfile {
  void operator()(SNDFILE* file) const noexcept { sf_close(file); }
};
using SndfileHandle = std::unique_ptr<SNDFILE, CloseSndfile>;

/// Null on failure; sf_strerror(nullptr) says why. The file must stay where it is while the handle lives.
SndfileHandle open_sndfile(ByteFile& file, int mode, SF_INFO& info);

/// Our names of the texts that libsndfile stores.
inline constexpr std::array<std::pair<int, std::string_view>, 9> kSndfileTexts{{{SF_STR_TITLE, "title"},
                                                                                {SF_STR_ARTIST, "artist"},
                                                                                {SF_STR_ALBUM, "album"},
                                                                                {SF_STR_DATE, "date"},
                                                                                {SF_STR_TRACKNUMBER, "track"},
                                                                                {SF_STR_GENRE, "genre"},
                                                                                {SF_STR_COMMENT, "comment"},
                                                                                {SF_STR_COPYRIGHT, "copyright"},
                                                                                {SF_STR_LICENSE, "license"}}};

}  // namespace unbraid::io
