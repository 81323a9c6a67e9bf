#include "unbraid/core/cancel.hpp"

#include "unbraid/core/error.hpp"

namespace unbraid {

void CancelToken::check() const {
  if (cancelled()) throw Error{ErrorCode::kCancelled, "cancelled"};
}

}  // namespace unbraid
