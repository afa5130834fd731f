// SPDX-License-Identifier: GPL-2.0-only
//
// skbwalk list coverage: prints it, or keeps the section of a document that has it.
#include <cstdio>
#include <exception>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "sim/commands.h"
#include "sim/coverage.h"

namespace skbwalk::sim {

namespace {

std::string read_document(const std::string &path)
{
	std::ifstream in{path, std::ios::binary};
	std::ostringstream text;
	if (!in)
		throw std::runtime_error(fmt::format("{}: cannot be read", path));
	text << in.rdbuf();
	return text.str();
}

int keep_document(const coverage_args &args, const coverage &c)
{
	const std::string &path = args.write.empty() ? args.check : args.write;
	const std::string before = read_document(path);
	std::string after;
	if (!c.recordings)
		throw std::runtime_error("no recordings found: expected tests/reference/linux-6.1/*.tree");
	try {
		after = with_coverage(before, c.markdown());
	} catch (const std::exception &e) {
		throw std::runtime_error(fmt::format("{}: {}", path, e.what()));
	}
	if (after == before)
		return 0;
	if (args.write.empty()) {
		fmt::print(stderr, "skbwalk: {}: the section on coverage is not current: ./dev coverage\n",
		           path);
		return 1;
	}
	std::ofstream out{path, std::ios::binary};
	out << after;
	out.close();
	if (!out)
		throw std::runtime_error(fmt::format("{}: cannot be written", path));
	return 0;
}

} // namespace

int cmd_coverage(const coverage_args &args)
{
	try {
		const coverage c = coverage::take(reference_folder(args.reference).string());
		if (!args.write.empty() || !args.check.empty())
			return keep_document(args, c);
		const std::string text = args.file.empty() ? c.text() : c.text_of(args.file);
		if (text.empty())
			throw std::runtime_error(fmt::format(
				"--file: no file of the kernel's network is like '{}'", args.file));
		std::fputs(text.c_str(), stdout);
		return 0;
	} catch (const std::exception &e) {
		fmt::print(stderr, "skbwalk: {}\n", e.what());
		return 2;
	}
}

} // namespace skbwalk::sim
