// unbraid menu: what the program can do, by number. It asks, shows the command, and runs it.

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "unbraid/catalog/model_method.hpp"
#include "unbraid/core/error.hpp"
#include "verbs.hpp"

namespace unbraid::app {

namespace {

using Command = std::vector<std::string>;

/// An answer; the preset one for an empty line. Nothing at the end of the input.
std::optional<std::string> ask(const std::string& question, const std::string& preset = {}) {
  fmt::print("{}{}: ", question, preset.empty() ? "" : fmt::format(" [{}]", preset));
  std::fflush(stdout);
  std::string line;
  if (!std::getline(std::cin, line)) return {};
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!line.empty() && is_space(line.back())) line.pop_back();
  while (!line.empty() && is_space(line.front())) line.erase(line.begin());
  // What terminals put around a file that is dropped on them.
  if (line.size() > 1 && (line.front() == '\'' || line.front() == '"') && line.back() == line.front())
    line = line.substr(1, line.size() - 2);
  return line.empty() ? preset : line;
}

struct Question {
  std::string text, preset;
};

struct Choice {
  std::string name;
  std::vector<Question> questions;
  /// The command for the answers.
  std::function<Command(const std::vector<std::string>&)> command;
};

const std::vector<Choice>& choices() {
  using Answers = std::vector<std::string>;
  const std::string method = catalog::usual_method();
  const std::string example = "configs/mask_inference_small.yaml";  // of the source tree
  const std::string configuration = std::filesystem::exists(example) ? example : "";
  static const std::vector<Choice> list{
      {"separate a file",
       {{"audio file", ""}, {"method or model", method}, {"output folder", "stems"}},
       [](const Answers& a) { return Command{"separate", a[0], "-m", a[1], "-o", a[2]}; }},
      {"train a model",
       {{"configuration", configuration}, {"output folder", "runs/model"}},
       [](const Answers& a) {
         return Command{"train", a[0], "-o", a[1], "--resume"};
       }},
      {"evaluate with a test set",
       {{"dataset", ""}, {"methods and models, with commas", method}, {"output folder", "benchmark"}},
       [](const Answers& a) { return Command{"benchmark", a[0], "-m", a[1], "-o", a[2]}; }},
      {"evaluate a pretrained model",
       {{"model file", "runs/model/best.safetensors"}, {"dataset", ""}, {"output folder", "benchmark"}},
       [](const Answers& a) { return Command{"benchmark", a[1], "-m", a[0], "-o", a[2]}; }},
      {"oracle: the best that masks could do",
       {{"dataset or track", ""}},
       [](const Answers& a) {
         return Command{"oracle", a[0]};
       }},
  };
  return list;
}

/// As a shell would want it.
std::string quoted(const std::string& word) {
  const bool plain = !word.empty() && word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./,=:+@%") ==
                                          std::string::npos;
  if (plain) return word;
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

/// This program with other arguments, in a process of its own, so that Ctrl-C ends the work and not the menu.
void run(const Command& command) {
  std::vector<std::string> words = {"unbraid"};
  words.insert(words.end(), command.begin(), command.end());
  std::vector<std::string> shown;
  for (const std::string& word : words) shown.push_back(quoted(word));
  fmt::print("\n$ {}\n", fmt::join(shown, " "));
  std::fflush(stdout);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  struct sigaction ignore {
  }, before{};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGINT, &ignore, &before);
  const pid_t child = fork();
  if (child == 0) {
    if (before.sa_handler != SIG_IGN) std::signal(SIGINT, SIG_DFL);
    execv("/proc/self/exe", arguments.data());
    _exit(127);
  }
  int status = 0;
  pid_t ended = child;
  if (child > 0) {
    do ended = waitpid(child, &status, 0);
    while (ended < 0 && errno == EINTR);
  }
  sigaction(SIGINT, &before, nullptr);
  if (ended < 0) throw Error{ErrorCode::kIo, "cannot start a process", "menu"};
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0) fmt::print("(it ended with status {})\n", WEXITSTATUS(status));
}

}  // namespace

void run_menu() {
  fmt::print("Unbraid takes a recording apart into its instruments.\n");
  while (true) {
    fmt::print("\n");
    for (std::size_t i = 0; i < choices().size(); ++i) fmt::print("  {}  {}\n", i + 1, choices()[i].name);
    fmt::print("  {}  exit\n\n", choices().size() + 1);
    const std::optional<std::string> answer = ask("what to do");
    if (!answer || *answer == std::to_string(choices().size() + 1) || *answer == "q" || *answer == "exit") return;
    const std::size_t number = answer->size() == 1 && (*answer)[0] >= '1' ? static_cast<std::size_t>((*answer)[0] - '0') : 0;
    if (number < 1 || number > choices().size()) {
      fmt::print("a number from 1 to {}, or q\n", choices().size() + 1);
      continue;
    }
    const Choice& choice = choices()[number - 1];
    std::vector<std::string> answers;
    for (const Question& question : choice.questions) {
      const std::optional<std::string> given = ask(question.text, question.preset);
      if (!given) return;
      if (given->empty()) break;  // back to the list
      answers.push_back(*given);
    }
    if (answers.size() == choice.questions.size()) run(choice.command(answers));
  }
}

void add_menu(CLI::App& program, Session&) {
  program.add_subcommand("menu", "the same by number: separate, train, evaluate")->callback([] { run_menu(); });
}

}  // namespace unbraid::app
