// SPDX-License-Identifier: GPL-2.0-only
//
// Traces that are wrong: windows of what ftrace and trace-cmd printed and of the reference trees, with bytes
// and lines changed, cut, doubled, moved and taken from one another. Each is read; it is refused with a
// message that begins with the file's name, or it gives a tree that holds together and can be compared with
// the one before. A crash stops the program: what was read last is in the file that it names.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "sim/compare_units.h"
#include "sim/noise.h"
#include "sim/scope.h"
#include "stack/kernel/random.h"
#include "tests/fuzz/fuzz_main.h"

namespace skbwalk::fuzz {

namespace {

using namespace skbwalk::sim;
namespace fs = std::filesystem;

constexpr unsigned hang_seconds = 60; // of real time, for one file
constexpr u32 lines_max = 80;

using lines = std::vector<std::string>;

class maker {
public:
	explicit maker(u64 seed) : random_{seed, "fuzz-traces"}
	{
		std::vector<fs::path> paths;
		for (const char *folder :
		     {"tests/sim/data", "tests/reference/linux-6.1", "tests/reference/seeds"})
			for (const auto &entry : fs::directory_iterator(folder))
				if (entry.path().extension() == ".txt" || entry.path().extension() == ".tree")
					paths.push_back(entry.path());
		std::ranges::sort(paths);
		for (const fs::path &p : paths) {
			std::ifstream in{p, std::ios::binary};
			lines of_file;
			for (std::string line; std::getline(in, line);)
				of_file.push_back(line);
			files_.push_back(std::move(of_file));
		}
	}

	[[nodiscard]] bool empty() const { return files_.empty(); }

	std::string next()
	{
		if (below(100) < 2)
			return noise();
		lines l = window(any_file());
		for (u32 changes = below(8); changes--;)
			change(l);
		std::string out;
		for (const std::string &line : l)
			out += line + "\n";
		for (u32 bytes = below(3) ? 0 : 1 + below(4); bytes-- && !out.empty();)
			out[below(static_cast<u32>(out.size()))] = byte();
		if (!below(8) && !out.empty())
			out.resize(below(static_cast<u32>(out.size())));
		return out;
	}

private:
	u32 below(u32 n) { return random_.below(n); }
	const lines &any_file() { return files_[below(static_cast<u32>(files_.size()))]; }

	char byte()
	{
		static constexpr std::string_view odd =
			"{}();|/*#=<>[]-.: \t\r\n0123456789abzAZ_\x1b\x80\xff";
		return below(50) ? odd[below(static_cast<u32>(odd.size()))] : static_cast<char>(below(256));
	}

	std::string noise()
	{
		std::string out;
		for (u32 n = below(400); n--;)
			out.push_back(byte());
		return out;
	}

	lines window(const lines &file)
	{
		const u32 size = static_cast<u32>(file.size());
		const u32 first = below(2) || !size ? 0 : below(size);
		const u32 count = std::min(1 + below(lines_max), size - first);
		return {file.begin() + first, file.begin() + first + count};
	}

	std::string odd_line()
	{
		static const char *const odd[] = {
			" ------------------------------------------",
			" 0)  client-1    =>  server-2   ",
			"CPU:0 [LOST 18446744073709551616 EVENTS]",
			"CPU:1 [EVENTS DROPPED]",
			" 0)   ==========> |",
			" 1)   <========== |",
			" 0)               |  /* a remark */",
			" 0)               |  /* an open remark",
			" 0)               |                                                                  x();",
			" 0) $ 9999999999999999999 us |  }",
			"  }",
			"f(a={1, 2}, b=\"*/\") { /* <-g ret=-1 */",
			"# task x +1 ms",
			"# lost 99999999999999999999 records",
			"# tracer: function_graph",
			" c-1 [000] 1.000000: funcgraph_entry: func=f depth=4000000000",
			" c-1 [000] 1.000000: funcgraph_exit: <-- f (3)",
			"",
		};
		return odd[below(std::size(odd))];
	}

	void change(lines &l)
	{
		const u32 size = static_cast<u32>(l.size());
		const auto at = [&] { return l.begin() + below(static_cast<u32>(l.size())); };
		switch (size ? below(9) : 0) {
		case 0:
			l.insert(l.begin() + below(size + 1), odd_line());
			break;
		case 1:
			l.erase(at());
			break;
		case 2: {
			const std::string copy = *at();
			l.insert(l.begin() + below(size + 1), copy);
			break;
		}
		case 3:
			std::iter_swap(at(), at());
			break;
		case 4: {
			const lines other = window(any_file());
			l.insert(l.begin() + below(size + 1), other.begin(), other.end());
			break;
		}
		case 5: {
			std::string &line = *at();
			line.resize(below(static_cast<u32>(line.size()) + 1));
			break;
		}
		case 6: {
			std::string &line = *at();
			line.insert(below(static_cast<u32>(line.size()) + 1),
			            std::string(1 + below(20), byte()));
			break;
		}
		case 7: {
			std::string &line = *at();
			const std::size_t from = below(static_cast<u32>(line.size()) + 1);
			line.erase(from, 1 + below(20));
			break;
		}
		default: // indented anew
			for (std::string &line : l)
				line.erase(0, std::min(line.find_first_not_of(' '), line.size()));
		}
	}

	random_stream random_;
	std::vector<lines> files_;
};

// What every tree must be; empty: it is.
std::string broken(const text_tree &t)
{
	if (t.nodes.empty())
		return "a tree without functions";
	u32 line = 0;
	for (const text_node &n : t.nodes) {
		if (n.task >= t.tasks.size())
			return "a call of no task";
		if (n.line <= line)
			return "calls out of the order of lines";
		if (n.name.empty() || n.symbol.empty())
			return "a call without a name";
		line = n.line;
	}
	return {};
}

int run(u64 seed, u64 count)
{
	maker m{seed};
	const function_scope scope{""};
	text_tree before;
	u64 accepted = 0, compared = 0;

	if (m.empty())
		return fail("no traces: expected tests/sim/data in the working directory");
	watch_inputs("traces_fuzz", "txt", hang_seconds);
	for (u64 i = 0; i < count; ++i) {
		next_input(m.next());
		try {
			text_tree t = parse_tree_text(input, "fuzz.txt");
			++accepted;
			if (const std::string why = broken(t); !why.empty())
				return fail(why);
			const auto a = edges_in_scope(before, scope.names()),
				   b = edges_in_scope(t, scope.names());
			const auto pairs = align(a, b);
			if (pairs.size() != match(a, b).common)
				return fail("an alignment that is shorter than what is in common");
			static_cast<void>(find_noise(a, b, pairs, known_noise()));
			for (const cut_at cut : {cut_at::calls, cut_at::packets}) {
				const auto left = units_of(before, scope.names(), cut);
				const auto right = units_of(t, scope.names(), cut);
				const unit_match u = match_units(left, right);
				if (u.score.reference != a.size() || u.score.model != b.size())
					return fail("a cut that loses functions");
				compared += u.score.common != 0;
			}
			before = std::move(t);
		} catch (const bad_trace &e) {
			if (!std::string_view{e.what()}.starts_with("fuzz.txt:"))
				return fail(fmt::format("a message without the file's name: {}", e.what()));
		} catch (const std::exception &e) {
			return fail(fmt::format("not an error of traces: {}", e.what()));
		}
	}
	end_of_inputs();
	fmt::print("{} files: {} accepted, {} comparisons with something in common\n", count, accepted,
	           compared);
	return 0;
}

} // namespace

} // namespace skbwalk::fuzz

int main(int argc, char **argv)
{
	using namespace skbwalk::fuzz;
	skbwalk::u64 seed = 1, count = 1'000'000;
	const numeric_option numbers[] = {{"--seed", &seed, "of everything that is random"},
	                                  {"--count", &count, "files", 1}};

	return fuzz_main(argc, argv, "Wrong traces against the readers of traces.", numbers,
	                 [&] { return run(seed, count); });
}
