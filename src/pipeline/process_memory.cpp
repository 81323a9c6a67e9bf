#include "pipeline/process_memory.hpp"

#include "unbraid/pipeline/plan.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

namespace unbraid {

std::size_t current_memory_bytes() {
  std::size_t total_pages = 0, resident_pages = 0;
  std::ifstream("/proc/self/statm") >> total_pages >> resident_pages;
  return resident_pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

std::size_t peak_memory_bytes() {
  // Linux's ru_maxrss begins with what the parent held when it started this process; VmHWM does not.
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stoul(line.substr(6)) * 1024;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
#if defined(__APPLE__)
  return static_cast<std::size_t>(usage.ru_maxrss);
#else
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
#endif
}

std::size_t machine_memory_bytes() {
  std::size_t least = static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  // Version 2 of control groups: "0::/a/b" stands for the folder a/b below the mount, and each one above it counts, too.
  // Version 1: "4:memory:/a/b". Inside a container the mount itself is the group. A file that says "max" says no number.
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const bool unified = line.starts_with("0::");
    const std::size_t name = line.find(":memory:");
    if (!unified && name == std::string::npos) continue;
    const std::filesystem::path mount = unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    const char* const file = unified ? "memory.max" : "memory.limit_in_bytes";
    for (std::filesystem::path group = line.substr(unified ? 3 : name + 8);; group = group.parent_path()) {
      std::size_t limit = 0;
      if (std::ifstream(mount / group.relative_path() / file) >> limit) least = std::min(least, limit);
      if (!group.has_relative_path()) break;
    }
  }
  return least;
}

}  // namespace unbraid
