// SPDX-License-Identifier: GPL-2.0-only
#include "tests/fuzz/fuzz_main.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

// Only a build with sanitizers has it.
extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace skbwalk::fuzz {

namespace {

std::string program_name, kept_path;
unsigned seconds_each;

// Allocates nothing: it is called where the program has just failed.
void keep_input()
{
	if (std::FILE *f = std::fopen(kept_path.c_str(), "wb")) {
		std::fwrite(input.data(), 1, input.size(), f);
		std::fclose(f);
		std::fprintf(stderr, "%s: the input is in %s\n", program_name.c_str(), kept_path.c_str());
	}
}

void hung(int)
{
	std::fprintf(stderr, "%s: hangs\n", program_name.c_str());
	keep_input();
	std::_Exit(1);
}
void aborted(int) { keep_input(); }

} // namespace

std::string input;

int fuzz_main(int argc, char **argv, const char *about, std::span<const numeric_option> numbers,
              const std::function<int()> &run, std::span<const text_option> texts)
{
	CLI::App app{about};

	for (const numeric_option &n : numbers)
		app.add_option(n.name, *n.value, n.meaning)
			->capture_default_str()
			->check(CLI::Range(n.least, std::numeric_limits<u64>::max()));
	for (const text_option &t : texts)
		app.add_option(t.name, *t.value, t.meaning);
	try {
		app.parse(argc, argv);
	} catch (const CLI::ParseError &e) {
		return app.exit(e) ? 2 : 0;
	}
	return run();
}

void watch_inputs(const std::string &program, const std::string &suffix, unsigned seconds)
{
	program_name = program;
	kept_path = fmt::format("/tmp/{}.{}.{}", program, getpid(), suffix);
	seconds_each = seconds;
	std::signal(SIGALRM, hung);
	std::signal(SIGABRT, aborted);
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(keep_input);
}

void next_input(std::string text)
{
	input = std::move(text);
	alarm(seconds_each);
}

void end_of_inputs() { alarm(0); }

int fail(const std::string &why)
{
	std::fprintf(stderr, "%s: %s\n", program_name.c_str(), why.c_str());
	keep_input();
	return 1;
}

} // namespace skbwalk::fuzz
