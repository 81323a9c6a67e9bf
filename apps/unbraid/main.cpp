// The program: parses the command line, runs one verb, turns errors into one line and an exit status.

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <system_error>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "unbraid/core/error.hpp"
#include "unbraid/core/version.hpp"
#include "verbs.hpp"

namespace {

constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;

unbraid::CancelSource interrupted;

/// The first Ctrl-C asks the work to stop cleanly, the second kills the program as usual.
void on_interrupt(int signal) {
  interrupted.cancel();
  std::signal(signal, SIG_DFL);
}

/// Not as std::signal does it, which has waiting calls go on waiting: for standard input that could be for ever. What nohup or a
/// shell has the program ignore stays ignored.
void handle(int signal) {
  struct sigaction before {};
  sigaction(signal, nullptr, &before);
  if (before.sa_handler == SIG_IGN) return;
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

/// What is left in standard output's buffer, written: a full disk must not end as success. A reader that has gone away has
/// what it wanted.
int flush_output() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return 0;
  if (errno != EPIPE) fmt::print(stderr, "unbraid: standard output: {}\n", std::strerror(errno));
  return kFailed;
}

}  // namespace

int main(int argc, char** argv) {
  using unbraid::app::Session;
  // libtorch's threads, which are OpenMP's, would otherwise spin where OpenBLAS's threads are to work, and take a
  // network twice as long. OpenMP reads this when the libraries that need it are opened.
  setenv("OMP_WAIT_POLICY", "passive", /*overwrite=*/0);
#ifdef __GLIBC__
  // One block after another takes the same spectrograms. Given back in between, their pages would be cleared again each time.
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
#endif
  CLI::App program("Unbraid takes a recording apart into its instruments.", "unbraid");
  program.set_version_flag("--version", std::string(unbraid::version()));
  program.require_subcommand(0, 1);
  program.fallthrough();

  Session session;
  session.cancel = interrupted.token();
  program.add_flag("--json", session.json, "print one JSON document on standard output");
  program.add_flag("-q,--quiet", session.quiet, "no progress bars, no notes; warnings stay");
  program.add_option("--threads", session.threads, "threads to use (default: all processors)")->type_name("N")->check(CLI::Range(0, 4096));
  unbraid::app::add_separate(program, session);
  unbraid::app::add_models(program, session);
  unbraid::app::add_dataset(program, session);
  unbraid::app::add_oracle(program, session);
  unbraid::app::add_synth(program, session);
  unbraid::app::add_evaluate(program, session);
  unbraid::app::add_compare(program, session);
  unbraid::app::add_benchmark(program, session);
  unbraid::app::add_inspect(program, session);
  unbraid::app::add_mix(program, session);
  unbraid::app::add_train(program, session);
  unbraid::app::add_train_nmf(program, session);
  unbraid::app::add_menu(program, session);
  unbraid::app::add_completion(program, session);
  unbraid::app::add_man(program, session);

  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) handle(signal);
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is an error like others: unfinished files are removed
  try {
    program.parse(argc, argv);
    if (program.get_subcommands().empty()) {
      if (isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0) unbraid::app::run_menu();
      else fmt::print("{}", program.help());
    }
    return flush_output();
  } catch (const CLI::Success& success) {
    const int status = program.exit(success);
    return status == 0 ? flush_output() : status;
  } catch (const CLI::ParseError& error) {
    const auto verbs = program.get_subcommands();
    fmt::print(stderr, "unbraid: {} (see unbraid {}--help)\n", error.what(), verbs.empty() ? "" : verbs.front()->get_name() + " ");
    return kWrongUsage;
  } catch (const unbraid::Error& error) {
    fmt::print(stderr, "unbraid: {}\n", error.what());
    return error.code() == unbraid::ErrorCode::kUsage ? kWrongUsage : kFailed;
  } catch (const std::filesystem::filesystem_error& error) {
    fmt::print(stderr, "unbraid: {}: {}\n", error.path1().string(), error.code().message());
    return kFailed;
  } catch (const std::system_error& error) {
    const bool reader_went_away = error.code() == std::errc::broken_pipe;
    if (!reader_went_away) fmt::print(stderr, "unbraid: {}\n", error.what());
    return kFailed;
  } catch (const std::exception& error) {
    fmt::print(stderr, "unbraid: internal error: {}\n", error.what());
    return kFailed;
  }
}
