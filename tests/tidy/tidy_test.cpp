// SPDX-License-Identifier: GPL-2.0-only
//
// The rules of the source tree that a program can check. Each failure names file and line.
#include "tests/tidy/source_tree.h"

#include <regex>

namespace {

using tidy::source_file;

const std::filesystem::path root = SKBWALK_SOURCE_DIR;
const std::vector<std::string> model = {"stack", "devices", "sim"};

const std::vector<source_file> &sources()
{
	static const auto files = tidy::files_of(root, {"stack", "devices", "sim", "tests", "bench", "tools"},
	                                         {".cpp", ".h", ".c", ".hpp"});
	return files;
}

std::vector<source_file> model_sources() { return tidy::files_of(root, model, {".cpp", ".h"}); }

bool is_tap(const source_file &file) { return file.is_under("sim/tap"); }

std::string at(const source_file &file, int line) { return file.path + ":" + std::to_string(line) + ": "; }

std::string read(const std::filesystem::path &path)
{
	std::ifstream in(path);
	return {std::istreambuf_iterator<char>(in), {}};
}

TEST(tidy, room_includes_only_rooms_below_it)
{
	const tidy::room_table rooms(read(root / "cmake/rooms.cmake"));
	ASSERT_FALSE(rooms.empty());
	for (const auto &file : model_sources()) {
		const auto room = rooms.room_of(file.path);
		EXPECT_NE(room, "") << file.path << ": in no room of cmake/rooms.cmake";
		for (const auto &include : tidy::includes_of(file)) {
			if (include.angled)
				continue;
			EXPECT_NE(rooms.room_of(include.name), "")
				<< at(file, include.line) << include.name << " is not named from the root";
			EXPECT_TRUE(rooms.may_include(room, include.name))
				<< at(file, include.line) << room << " may not use " << include.name
				<< " (cmake/rooms.cmake)";
		}
	}
}

TEST(tidy, modelled_function_begins_with_the_tracing_macro)
{
	static const std::regex exempt(R"(^stack/(trace/|kernel/(task|fiber|context)))");
	static const std::regex macro(R"(^TRACE(_INLINE|_PART)?\s*\()");
	for (const auto &file : tidy::files_of(root, {"stack", "devices"}, {".cpp"})) {
		if (std::regex_search(file.path, exempt))
			continue;
		for (const auto &function : tidy::functions_of(file))
			EXPECT_TRUE(function.excused || std::regex_search(function.first_statement, macro))
				<< at(file, function.line) << function.name
				<< " does not begin with TRACE(); a function that the kernel does not have "
				   "goes "
				   "into an unnamed namespace, or has the line \"// not traced: <reason>\" "
				   "above it";
	}
}

TEST(tidy, host_clock_and_host_randomness_only_on_the_tap)
{
	static const std::regex banned(
		R"(\b(system_clock|steady_clock|high_resolution_clock|random_device|)"
		R"(default_random_engine|gettimeofday|clock_gettime|timespec_get)\b)"
		R"(|\bs?rand\s*\(|\bstd::time\b|\btime\s*\(\s*(nullptr|NULL|0|&\w+)\s*\))");
	for (const auto &file : model_sources()) {
		if (is_tap(file))
			continue;
		for (std::sregex_iterator m(file.code.begin(), file.code.end(), banned), end; m != end; ++m)
			ADD_FAILURE()
				<< at(file, tidy::line_of(file, static_cast<std::size_t>(m->position())))
				<< m->str() << " is the host's";
	}
}

TEST(tidy, host_network_headers_only_on_the_tap)
{
	static const std::regex banned(
		R"(^(netinet/|linux/|net/|arpa/|netpacket/|netdb\.h|ifaddrs\.h|sys/socket\.h|sys/epoll\.h))");
	for (const auto &file : model_sources())
		for (const auto &include : tidy::includes_of(file))
			EXPECT_FALSE(include.angled && !is_tap(file) &&
			             std::regex_search(include.name, banned))
				<< at(file, include.line) << '<' << include.name << "> is the host's";
}

TEST(tidy, slow_headers_are_in_few_files_of_sim)
{
	const std::vector<std::tuple<std::string, std::regex, std::size_t>> slow = {
		{"Boost.Asio", std::regex(R"(^boost/asio)"), 1},
		{"nlohmann_json", std::regex(R"(^nlohmann/)"), 2},
		{"CLI11", std::regex(R"(^CLI/)"), 1},
	};
	for (const auto &[name, form, most] : slow) {
		std::set<std::string> users;
		for (const auto &file : model_sources())
			for (const auto &include : tidy::includes_of(file)) {
				// The forward declarations are what a header may have.
				if (!std::regex_search(include.name, form) ||
				    include.name == "nlohmann/json_fwd.hpp")
					continue;
				users.insert(file.path);
				EXPECT_TRUE(file.is_under("sim/") && !file.is_header())
					<< at(file, include.line) << name << " belongs in a .cpp of sim/";
			}
		EXPECT_LE(users.size(), most) << name << " is in " << testing::PrintToString(users);
	}
}

TEST(tidy, source_file_begins_with_its_licence)
{
	const std::string spdx = "SPDX-License-Identifier: GPL-2.0-only";
	for (const auto &file : sources())
		EXPECT_EQ(file.text.substr(0, file.text.find('\n')), "// " + spdx) << file.path;
	for (const std::string script : {"dev", ".ci/run", "CMakeLists.txt", "cmake/rooms.cmake"})
		EXPECT_NE(read(root / script).substr(0, 80).find("# " + spdx), std::string::npos) << script;
}

TEST(tidy, header_has_pragma_once)
{
	for (const auto &file : sources())
		EXPECT_TRUE(!file.is_header() || file.text.find("\n#pragma once\n") != std::string::npos)
			<< file.path;
}

TEST(tidy, no_text_names_a_path_of_one_machine)
{
	static const std::regex machine(R"((^|[\s"'`(=:,])/()"
	                                R"(work|opt|home/\w+)/)");
	const std::vector<std::string> everywhere = {"stack",
	                                             "devices",
	                                             "sim",
	                                             "tests",
	                                             "bench",
	                                             "scenarios",
	                                             "docs",
	                                             "tools",
	                                             "cmake",
	                                             "dev",
	                                             ".ci",
	                                             "README.md",
	                                             "CHANGELOG.md",
	                                             "ARCHITECTURE.md",
	                                             "CONTRIBUTING.md",
	                                             ".clang-tidy",
	                                             "CMakeLists.txt",
	                                             "CMakePresets.json"};
	for (const auto &file :
	     tidy::files_of(root, everywhere,
	                    {"", ".cpp", ".h", ".md", ".json", ".cmake", ".txt", ".tsv", ".tree", ".py"})) {
		std::istringstream in(file.text);
		std::string line;
		for (int number = 1; std::getline(in, line); ++number)
			EXPECT_FALSE(std::regex_search(line, machine)) << at(file, number) << line;
	}
}

// ---- the reader itself ----------------------------------------------------------------------------------

std::vector<std::string> untraced(const std::string &text)
{
	std::vector<std::string> names;
	for (const auto &function : tidy::functions_of(tidy::parse("stack/ipv4/x.cpp", text)))
		if (!function.excused && !function.first_statement.starts_with("TRACE"))
			names.push_back(function.name);
	return names;
}

TEST(tidy_reader, code_loses_comments_and_strings_and_keeps_its_lines)
{
	const auto file = tidy::parse(
		"a.cpp", "int a; // {\nchar b = '{'; /* {\n */ auto c = \"\\\"{\";\nu64 d = 1'0;\n");
	EXPECT_EQ(file.code.size(), file.text.size());
	EXPECT_EQ(file.code.find('{'), std::string::npos);
	EXPECT_EQ(std::ranges::count(file.code, '\n'), 4);
	EXPECT_NE(file.code.find("1'0;"), std::string::npos);
}

TEST(tidy_reader, untraced_function_is_found)
{
	EXPECT_EQ(untraced("namespace skbwalk {\n\nstatic int tcp_ack(sock &sk)\n{\n\treturn 0;\n}\n}\n"),
	          std::vector<std::string>{"tcp_ack"});
	EXPECT_EQ(untraced("namespace skbwalk {\nint ip_rcv(skb_ptr skb,\n           net_device "
	                   "&dev)\n{\n}\n}\n"),
	          std::vector<std::string>{"ip_rcv"});
	EXPECT_EQ(untraced("namespace skbwalk {\n#define X(a) \\\n\t{ a\nsock *f(std::span<u8> "
	                   "s)\n{\n\tx();\n}\n}\n"),
	          std::vector<std::string>{"f"});
}

TEST(tidy_reader, traced_or_excused_function_passes)
{
	EXPECT_THAT(
		untraced("namespace skbwalk {\nint f()\n{\n\t// first\n\tTRACE(skb);\n\treturn 0;\n}\n}\n"),
		testing::IsEmpty());
	EXPECT_THAT(untraced("namespace skbwalk {\n// What it is.\n// not traced: runs on any thread\nint "
	                     "f()\n{\n}\n}\n"),
	            testing::IsEmpty());
}

TEST(tidy_reader, what_is_no_modelled_function_passes)
{
	EXPECT_THAT(untraced("namespace skbwalk {\nnamespace {\nint helper()\n{\n\treturn 0;\n}\n}\n}\n"),
	            testing::IsEmpty());
	EXPECT_THAT(untraced("namespace skbwalk {\nnamespace detail {\nint f()\n{\n}\n}\n}\n"),
	            testing::IsEmpty());
	EXPECT_THAT(
		untraced(
			"namespace skbwalk {\nvoid host::start()\n{\n\tgo();\n}\nhost::host() : a_(1)\n{\n}\n"
			"constexpr int g()\n{\n\treturn 1;\n}\nbool operator==(a, b)\n{\n\treturn "
			"1;\n}\n}\n"),
		testing::IsEmpty());
	EXPECT_THAT(untraced("namespace skbwalk {\nconst proto tcp_prot = {\n\t.name = "
	                     "f(1),\n};\nDEFINE(x)\n{\n}\n}\n"),
	            testing::IsEmpty());
}

TEST(tidy_reader, room_may_use_what_is_below_and_its_doorways)
{
	const tidy::room_table rooms(
		"set(SKBWALK_ROOMS\n\t\"a | stack/a | \"\n\t\"b | stack/b | a\"\n\t\"c | stack/c | b\"\n"
		"\t\"e | stack/b/n_* | c\"\n\t\"d | stack | c\"\n)\nset(SKBWALK_DOORWAYS\n\t\"a | stack/c/table.h\"\n)\n");
	EXPECT_EQ(rooms.room_of("stack/b/x.h"), "b");
	EXPECT_EQ(rooms.room_of("stack/b/n_x.h"), "e");
	EXPECT_EQ(rooms.room_of("stack/x.h"), "d");
	EXPECT_EQ(rooms.room_of("elsewhere/x.h"), "");
	EXPECT_TRUE(rooms.may_include("c", "stack/a/x.h"));
	EXPECT_TRUE(rooms.may_include("e", "stack/b/x.h"));
	EXPECT_FALSE(rooms.may_include("b", "stack/b/n_x.h"));
	EXPECT_TRUE(rooms.may_include("a", "stack/c/table.h"));
	EXPECT_FALSE(rooms.may_include("a", "stack/c/x.h"));
	EXPECT_FALSE(rooms.may_include("b", "stack/x.h"));
}

} // namespace
