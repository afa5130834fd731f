// SPDX-License-Identifier: GPL-2.0-only
//
// The machine and the player where things go wrong: with packages that are a few words and an emulator that
// is a shell script, so that neither network nor kernel is needed.
#include "sim/oracle_boot.h"

#include <cstdlib>
#include <fstream>

#include "sim/oracle_image.h"
#include "sim/process.h"

namespace {

namespace fs = std::filesystem;
using namespace skbwalk;
using namespace skbwalk::sim;
using testing::AllOf;
using testing::HasSubstr;

class folder_of_test {
public:
	folder_of_test()
	{
		std::string name = (fs::temp_directory_path() / "skbwalk-boot.XXXXXX").string();
		at = mkdtemp(name.data());
	}
	~folder_of_test()
	{
		std::error_code ignored;
		fs::remove_all(at, ignored);
	}
	folder_of_test(const folder_of_test &) = delete;
	folder_of_test &operator=(const folder_of_test &) = delete;

	void put(const std::string &file, const std::string &text, bool program = false) const
	{
		fs::create_directories((at / file).parent_path());
		std::ofstream{at / file, std::ios::binary} << text;
		if (program)
			fs::permissions(at / file, fs::perms::owner_all);
	}

	fs::path at;
};

// What it finds first is in the folder's bin/.
class path_of_test {
public:
	explicit path_of_test(const fs::path &folder) : before_(std::getenv("PATH"))
	{
		setenv("PATH", ((folder / "bin").string() + ":" + before_).c_str(), 1);
	}
	~path_of_test() { setenv("PATH", before_.c_str(), 1); }
	path_of_test(const path_of_test &) = delete;
	path_of_test &operator=(const path_of_test &) = delete;

private:
	std::string before_;
};

struct planted : testing::Test {
	planted()
	{
		for (const char *package :
		     {"busybox-static", "iproute2", "libc6", "libbpf1", "libbsd0", "libcap2", "libelf1",
		      "libmd0", "libmnl0", "libxtables12", "zlib1g"})
			folder.put(std::string{"cache/"} + package + "_1/bin/none", "");
		for (const char *program : {"busybox", "ip", "tc"})
			folder.put(std::string{"cache/iproute2_1/bin/"} + program, "#!/bin/sh\n");
		folder.put("cache/linux-image-test_1/boot/vmlinuz-9.9-test", "no kernel");
		folder.put("cache/linux-image-none_1/boot/readme", "no kernel");
		folder.put("bin/apt-cache", "#!/bin/sh\nexit 100\n", true);
		folder.put("player", "#!/bin/sh\n");
		args.cache = folder.at / "cache";
		args.player = folder.at / "player";
		args.kernel = "linux-image-test";
		args.folder = folder.at / "kept";
		fs::create_directories(args.folder);
		args.plans.push_back({&what, {"plain"}});
	}

	// An emulator that writes this to the console, the first serial port, and ends with that status.
	std::string boot_that_says(const std::string &console, int status = 0)
	{
		folder.put("bin/qemu-system-x86_64",
		           "#!/bin/bash\n"
		           "[ \"$1\" = --version ] && exit 0\n"
		           "for word; do\n"
		           "\t[ \"$last\" = -serial ] && [ -z \"$port\" ] && port=${word#file:}\n"
		           "\tlast=$word\n"
		           "done\n"
		           "printf '" +
		                   console + "' > \"$port\"\nexit " + std::to_string(status) + "\n",
		           true);
		const path_of_test path{folder.at};
		try {
			static_cast<void>(play_under_qemu(args));
		} catch (const no_oracle &e) {
			return e.what();
		}
		return "no error";
	}

	folder_of_test folder;
	scenario what = parse_scenario(R"({"name": "n", "about": "a", "tasks": {"t": {}},
		"steps": [{"call": "socket", "as": "s"}]})",
	                               "n.json");
	boot_args args;
};

using oracle_boot = planted;

TEST_F(oracle_boot, machine_that_ends_early_leaves_its_console_and_names_it)
{
	const std::string console = (args.folder / "console.log").string();
	EXPECT_THAT(
		boot_that_says("oracle: up\\nKernel panic - not syncing: no init\\n"),
		AllOf(HasSubstr("9.9-test: the machine ended before its time; its console is in " + console),
	              HasSubstr("Kernel panic - not syncing: no init")));
	EXPECT_THAT(read_bytes(console), HasSubstr("Kernel panic"));
}

TEST_F(oracle_boot, emulator_that_does_not_start_says_why)
{
	EXPECT_THAT(boot_that_says("", 1), HasSubstr("the machine ended before its time"));
}

TEST_F(oracle_boot, what_comes_back_cut_is_an_error_that_names_the_console)
{
	EXPECT_THAT(boot_that_says("oracle: up\\noracle: end\\n"),
	            AllOf(HasSubstr("back.tar.gz: cannot be unpacked"), HasSubstr("console.log")));
}

TEST_F(oracle_boot, package_without_a_kernel_is_named)
{
	args.kernel = "linux-image-none";
	EXPECT_THAT(boot_that_says(""), HasSubstr("linux-image-none: has no kernel in it"));
}

TEST_F(oracle_boot, package_that_nobody_has_is_named)
{
	args.kernel = "linux-image-nowhere";
	EXPECT_THAT(boot_that_says(""), HasSubstr("linux-image-nowhere: apt offers no such package"));
}

TEST_F(oracle_boot, modules_are_those_of_the_commands_and_what_modprobe_names)
{
	const scenario bridge = parse_scenario(R"({"name": "n", "about": "a", "tasks": {"t": {}},
		"setup": ["modprobe -q br_netfilter", "ip link add br0 type bridge"],
		"steps": [{"call": "socket", "as": "s"}]})",
	                                       "n.json");
	EXPECT_THAT(modules_for(bridge), testing::ElementsAre("veth", "bridge", "br_netfilter"));
}

// ---- a tracer that cannot be used -------------------------------------------------------------------------

struct player_check : planted {
	std::string refusal()
	{
		const process_result r =
			run_process({fs::path{SKBWALK_PROGRAM}.parent_path() / "skbwalk-player", "--check",
		                     "--tracefs", (folder.at / "tracefs").string()});
		return r.status ? r.output : "none";
	}
};

TEST_F(player_check, kernel_without_tracefs_is_refused)
{
	EXPECT_THAT(refusal(), HasSubstr("tracefs/trace: No such file or directory"));
}

TEST_F(player_check, kernel_without_function_graph_is_refused)
{
	folder.put("tracefs/trace", "");
	folder.put("tracefs/available_tracers", "blk function nop\n");
	EXPECT_THAT(refusal(), HasSubstr("available_tracers: function_graph is not among them"));
}

TEST_F(player_check, tracer_in_use_is_left_alone)
{
	folder.put("tracefs/trace", "");
	folder.put("tracefs/available_tracers", "function_graph nop\n");
	folder.put("tracefs/current_tracer", "function_graph\n");
	EXPECT_THAT(refusal(), HasSubstr("current_tracer: function_graph is in use, by somebody else"));
	folder.put("tracefs/current_tracer", "nop\n");
	EXPECT_EQ(refusal(), "none");
}

} // namespace
