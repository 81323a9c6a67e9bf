#include "unbraid/core/version.hpp"

namespace unbraid {

std::string_view version() noexcept { return UNBRAID_VERSION; }

}  // namespace unbraid
