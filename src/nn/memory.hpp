#pragma once
// What becomes of the memory that tensors leave behind. They are large enough that the C library would give each back to
// the system at once, and a third to a half of the time would go into clearing new pages.
//
// The tensors of the process come from here as soon as libunbraid_nn is open: what one leaves stays for the next, in large
// pages where the system has them, and the process never holds more than a quarter, or 64 MB, above what its tensors once took.

namespace unbraid::nn {

/// Gives back what lies unused.
void release_memory();

}  // namespace unbraid::nn
