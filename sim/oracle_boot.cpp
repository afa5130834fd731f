// SPDX-License-Identifier: GPL-2.0-only
//
// The machine: one cpu whose time is tied to instructions, so that softirqs do not split and no pause of this
// machine shows; an initramfs with busybox, iproute2, the modules, the player and the plans; the console and
// what comes back as two serial ports that write to files.
#include "sim/oracle_boot.h"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <unistd.h>

#include "sim/oracle_image.h"
#include "sim/oracle_plan.h"
#include "sim/process.h"
#include "sim/profile.h"
#include "sim/setup.h"

namespace skbwalk::sim {

namespace {

namespace fs = std::filesystem;

constexpr u32 seconds_for_boot = 120, seconds_a_run = 30;
constexpr const char *end_mark = "oracle: end";

// iproute2 and the libraries of ip and tc; busybox is static.
const std::vector<std::string> base_packages = {"busybox-static", "iproute2",     "libc6",   "libbpf1",
                                                "libbsd0",        "libcap2",      "libelf1", "libmd0",
                                                "libmnl0",        "libxtables12", "zlib1g"};

struct tool { // that some scenarios' commands want
	std::string_view word;
	std::vector<std::string> packages;
	std::vector<std::string> programs; // below usr/sbin of the packages
};
const std::vector<tool> &tools()
{
	static const std::vector<tool> all = {
		{"bridge", {}, {"bridge"}}, // of iproute2
		{"arptables", {"arptables"}, {"arptables-legacy"}},
		{"brctl", {"bridge-utils"}, {"brctl"}},
		{"conntrack", {"conntrack", "libnetfilter-conntrack3", "libnfnetlink0"}, {"conntrack"}},
		{"dmesg", {"util-linux", "libtinfo6"}, {"dmesg"}},
		{"ethtool", {"ethtool"}, {"ethtool"}},
		{"iptables", {"iptables", "libip4tc2", "libip6tc2"}, {"xtables-legacy-multi"}},
		{"iptables-save", {"iptables", "libip4tc2", "libip6tc2"}, {"xtables-legacy-multi"}},
	};
	return all;
}

template <class F> void for_each_command(const scenario &s, F &&use)
{
	for (const setup_line &l : s.setup)
		use(command_words(l.run));
	for (const auto *steps : {&s.warmup, &s.steps})
		for (const step &one : *steps)
			if (one.call == call_kind::run)
				use(command_words(one.command.run));
}

bool mentions(const scenario &s, std::string_view word)
{
	bool out = false;
	for_each_command(s, [&](const std::vector<std::string> &words) {
		out = out || std::ranges::find(words, word) != words.end();
	});
	return out;
}

// Itself, or in a namespace by `ip netns exec NAME PROGRAM`.
bool runs(const scenario &s, std::string_view program)
{
	bool out = false;
	for_each_command(s, [&](const std::vector<std::string> &words) {
		const auto exec = std::ranges::find(words, "exec");
		const auto at = words.end() - exec > 2 ? exec + 2 : words.begin();
		out = out || (at != words.end() && *at == program);
	});
	return out;
}

fs::path find_below(const std::vector<fs::path> &roots, const std::vector<std::string> &folders,
                    const std::string &name)
{
	for (const fs::path &root : roots)
		for (const std::string &folder : folders)
			if (std::error_code ignored; fs::exists(root / folder / name, ignored))
				return root / folder / name;
	return {};
}

class image {
public:
	image(const boot_args &args, package_cache &cache) : args_(args), cache_(cache)
	{
		kernel_package_ = args.kernel.empty() ? cache.newest_kernel() : args.kernel;
		find_kernel();
		find_tools();
	}

	void write(const fs::path &to)
	{
		for (const char *folder : {"dev", "proc", "sys", "tmp", "run", "etc", "out", "bin", "root"})
			tree_.add_folder(folder);
		add_program("bin/busybox", "busybox");
		add_program("usr/sbin/ip", "ip");
		add_program("usr/sbin/tc", "tc");
		for (const tool &t : tools())
			if (std::ranges::any_of(args_.plans,
			                        [&](const played_plan &p) { return runs(*p.what, t.word); }))
				for (const std::string &program : t.programs)
					add_program("usr/sbin/" + program, program);
		if (tree_.has("usr/sbin/xtables-legacy-multi")) {
			tree_.add_link("usr/sbin/iptables", "xtables-legacy-multi");
			tree_.add_link("usr/sbin/iptables-save", "xtables-legacy-multi");
			add_folder_of_libraries("usr/lib/x86_64-linux-gnu/xtables");
		}
		if (tree_.has("usr/sbin/arptables-legacy"))
			tree_.add_link("usr/sbin/arptables", "arptables-legacy");
		// What a scenario's commands name is loaded before it is played.
		tree_.add_text("usr/sbin/modprobe",
		               "#!/bin/busybox sh\n"
		               "for name in \"$@\"; do\n"
		               "\tcase $name in -*) continue ;; esac\n"
		               "\tname=$(echo \"$name\" | tr - _)\n"
		               "\tgrep -q \"^$name \" /proc/modules || [ -d \"/sys/module/$name\" ] ||\n"
		               "\t\t{ echo \"modprobe: $name is not loaded\" >&2; exit 1; }\n"
		               "done\n",
		               0755);
		tree_.add_file("player", find_player(args_.player));
		tree_.add_text("functions", recorded_functions());
		for (const played_plan &p : args_.plans)
			tree_.add_text("plans/" + plan_stem(*p.what), write_plan(*p.what));
		tree_.add_text("init", init_script(), 0755);
		tree_.write(to);
	}

	[[nodiscard]] const fs::path &vmlinuz() const { return vmlinuz_; }
	[[nodiscard]] const std::string &release() const { return release_; }

private:
	void find_kernel()
	{
		const fs::path root = cache_.unpacked(kernel_package_);
		std::error_code ignored;
		for (const auto &entry : fs::directory_iterator(root / "boot", ignored))
			if (const std::string name = entry.path().filename().string();
			    name.starts_with("vmlinuz-")) {
				vmlinuz_ = entry.path();
				release_ = name.substr(8);
			}
		if (vmlinuz_.empty())
			throw no_oracle(fmt::format("{}: has no kernel in it (a package such as "
			                            "linux-image-6.1.0-NN-amd64 has)",
			                            kernel_package_));
		for (const char *modules : {"lib/modules", "usr/lib/modules"})
			for (const auto &entry :
			     fs::recursive_directory_iterator(root / modules / release_, ignored)) {
				std::string name = entry.path().filename().string();
				if (const std::size_t ko = name.find(".ko"); ko != std::string::npos) {
					name = name.substr(0, ko);
					std::ranges::replace(name, '-', '_');
					modules_.emplace(name, entry.path());
				}
			}
	}

	void find_tools()
	{
		std::vector<std::string> wanted = base_packages;
		for (const tool &t : tools())
			if (std::ranges::any_of(args_.plans,
			                        [&](const played_plan &p) { return runs(*p.what, t.word); }))
				wanted.insert(wanted.end(), t.packages.begin(), t.packages.end());
		roots_ = cache_.unpacked(wanted);
	}

	void add_program(const std::string &path, const std::string &name)
	{
		const fs::path from = find_below(roots_, {"bin", "sbin", "usr/bin", "usr/sbin"}, name);
		if (from.empty())
			throw no_oracle(fmt::format("{}: not in the packages that should have it", name));
		tree_.add_file(path, from);
		add_libraries(read_bytes(from));
	}

	void add_libraries(const std::string &elf)
	{
		for (const std::string &name : needed_libraries(elf)) {
			const std::string file = fs::path{name}.filename().string();
			const std::string path =
				name.starts_with('/') ? name.substr(1) : "usr/lib/x86_64-linux-gnu/" + file;
			if (tree_.has(path))
				continue;
			const fs::path from = find_below(
				roots_,
				{"usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "lib64", "usr/lib64"},
				file);
			if (from.empty())
				throw no_oracle(fmt::format("{}: a library that no package brought", file));
			tree_.add_file(path, from);
			add_libraries(read_bytes(from));
		}
	}

	void add_folder_of_libraries(const std::string &folder)
	{
		std::error_code ignored;
		for (const fs::path &root : roots_)
			for (const auto &entry : fs::directory_iterator(root / folder, ignored))
				if (entry.path().extension() == ".so") {
					const std::string name = entry.path().filename().string();
					if (name.starts_with("libxt_") || name.starts_with("libipt_"))
						tree_.add_file(folder + "/" + name, entry.path(), 0644);
				}
	}

	// The module's file and, before it, those that it needs; adds them to the image.
	std::vector<std::string> module_files(const std::string &name)
	{
		const auto it = modules_.find(name);
		if (it == modules_.end())
			return {}; // built in, or the command that wants it will say so
		const std::string path = "modules/" + name + ".ko";
		if (!tree_.has(path)) {
			std::string bytes = it->second.extension() == ".xz"
			                            ? run_process({"xz", "-dc", it->second.string()},
			                                          {.with_stderr = false})
			                                      .output
			                            : read_bytes(it->second);
			depends_[name] = module_info(bytes, "depends") + softly_needed(bytes);
			tree_.add_text(path, std::move(bytes));
		}
		std::vector<std::string> out;
		std::istringstream names{depends_[name]};
		for (std::string one; std::getline(names, one, ',');) {
			if (one.empty())
				continue;
			std::ranges::replace(one, '-', '_');
			for (std::string &file : module_files(one))
				if (std::ranges::find(out, file) == out.end())
					out.push_back(std::move(file));
		}
		out.push_back("/" + path);
		return out;
	}

	// What must be there before, of modules that ask for it by an algorithm's name when they begin.
	static std::string softly_needed(std::string_view module)
	{
		return module_info(module, "softdep").starts_with("pre: crc32c") ? ",crc32c_generic" : "";
	}

	// What a scenario wants and is not there yet; a module's functions can be recorded from then on.
	std::string load_modules(const scenario &s)
	{
		std::string out;
		for (const std::string &name : modules_for(s))
			for (const std::string &file : module_files(name))
				if (loaded_.insert(file).second)
					out += fmt::format(
						"insmod {0} || echo oracle: {0} cannot be loaded\n", file);
		return out.empty() ? out : out + "echo oracle: $(/player --filter /functions)\n";
	}

	std::string init_script()
	{
		std::string out =
			"#!/bin/busybox sh\n"
			"export PATH=/usr/sbin:/bin\n"
			"/bin/busybox --install -s /bin\n"
			"mount -t proc proc /proc\n"
			"mount -t sysfs sys /sys\n"
			"mount -t devtmpfs dev /dev\n"
			"mount -t tracefs tracefs /sys/kernel/tracing\n"
			"mount -t tmpfs run /run\n"
			"echo oracle: up\n"
			"sysctl -qw net.core.devconf_inherit_init_net=1 net.core.default_qdisc=fq_codel\n"
			"sysctl -qw net.netfilter.nf_log_all_netns=1\n";
		if (args_.later_ms)
			out += fmt::format("usleep {}000\n", args_.later_ms);
		for (const played_plan &p : args_.plans) {
			const std::string stem = plan_stem(*p.what);
			out += load_modules(*p.what);
			for (const std::string &variant : p.variants)
				out += fmt::format(
					"timeout 300 /player /plans/{0} /out {1} || echo oracle: {0} {1}: "
					"the player fails\nsleep 1\n",
					stem, variant);
		}
		return out + fmt::format("stty raw -F /dev/ttyS1\n"
		                         "tar cz -C /out . > /dev/ttyS1\n"
		                         "sleep 2\n"
		                         "echo {}\n"
		                         "poweroff -f\n",
		                         end_mark);
	}

	const boot_args &args_;
	package_cache &cache_;
	std::string kernel_package_, release_;
	fs::path vmlinuz_;
	std::vector<fs::path> roots_;                // of the packages of tools
	std::map<std::string, fs::path> modules_;    // by name, with underscores
	std::map<std::string, std::string> depends_; // of those in the image
	std::set<std::string> loaded_;               // by the script so far
	initramfs tree_;
};

std::vector<std::string> said_by(const std::string &console, std::string_view prefix)
{
	std::istringstream in{console};
	std::vector<std::string> out;
	for (std::string line; std::getline(in, line);) {
		while (line.ends_with('\r'))
			line.pop_back();
		if (const std::size_t at = line.find(prefix); at != std::string::npos)
			out.push_back(line.substr(at));
	}
	return out;
}

std::string tail_of(const std::string &text, std::size_t lines)
{
	std::size_t at = text.size();
	for (std::size_t n = 0; n <= lines; ++n) {
		at = at ? text.rfind('\n', at - 1) : std::string::npos;
		if (at == std::string::npos)
			return text;
	}
	return text.substr(at + 1);
}

void need_program(const char *name, const char *package)
{
	if (run_process({name, "--version"}).status == 127)
		throw no_oracle(fmt::format("{}: there is no such program (Debian's package {} has it)", name,
		                            package));
}

} // namespace

std::string plan_stem(const scenario &s) { return plan_word(s.name); }

std::vector<std::string> modules_for(const scenario &s)
{
	static const std::vector<std::pair<std::string_view, std::vector<std::string>>> by_word = {
		{"bridge", {"bridge"}},
		{"brctl", {"bridge"}},
		{"netem", {"sch_netem"}},
		{"prio", {"sch_prio"}},
		{"fq", {"sch_fq"}},
		{"tbf", {"sch_tbf"}},
		{"dummy", {"dummy"}},
		{"conntrack", {"nf_conntrack", "nf_conntrack_netlink"}},
		{"arptables", {"arp_tables", "arptable_filter", "arpt_mangle"}},
		// A table registers its hooks when a namespace first asks for it, so all can be there.
		{"iptables",
	         {"iptable_filter", "iptable_mangle", "iptable_raw", "iptable_nat", "xt_addrtype",
	          "xt_comment", "xt_conntrack", "xt_limit", "xt_mac", "xt_mark", "xt_MASQUERADE",
	          "xt_multiport", "xt_nat", "xt_REDIRECT", "xt_tcpudp", "ipt_REJECT"}},
		{"LOG", {"xt_LOG", "nf_log_syslog"}},
	};
	std::vector<std::string> out = {"veth"};
	for (const auto &[word, names] : by_word)
		if (mentions(s, word))
			out.insert(out.end(), names.begin(), names.end());
	for_each_command(s, [&out](const std::vector<std::string> &words) {
		const auto at = std::ranges::find(words, "modprobe");
		if (at != words.end())
			std::copy_if(at + 1, words.end(), std::back_inserter(out),
			             [](const std::string &word) { return !word.starts_with('-'); });
	});
	return out;
}

std::string recorded_functions()
{
	// Noise that the scope names: objects of the VFS, and what each interrupt calls.
	static const std::set<std::string_view> left_out = {"security_inode_alloc", "security_d_instantiate",
	                                                    "security_file_alloc",  "security_inode_free",
	                                                    "bit_waitqueue",        "wake_up_bit",
	                                                    "irq_enter_rcu"};
	const profile measured = profile::load("linux-6.1");
	std::string out =
		"x64_sys_call\nexit_to_user_mode_prepare\ntask_work_run\ndo_idle\n____fput\n__fput\n";
	for (const std::string_view name : measured.scope())
		if (!left_out.contains(name))
			out += fmt::format("{}\n", name);
	return out;
}

fs::path find_player(const fs::path &asked)
{
	std::error_code ignored;
	const fs::path beside = fs::read_symlink("/proc/self/exe", ignored).parent_path() / "skbwalk-player";
	const fs::path file = asked.empty() ? beside : asked;
	if (!fs::exists(file, ignored))
		throw no_oracle(fmt::format("{}: no such file; it plays scenarios with real system calls",
		                            file.string()));
	return file;
}

boot_result play_under_qemu(const boot_args &args)
{
	need_program("qemu-system-x86_64", "qemu-system-x86");
	package_cache cache{args.cache};
	image machine{args, cache};
	const fs::path initrd = args.folder / "initrd", console = args.folder / "console.log",
		       back = args.folder / "back.tar.gz";
	machine.write(initrd);
	std::size_t runs = 0;
	for (const played_plan &p : args.plans)
		runs += p.variants.size();
	const auto seconds = args.seconds_max ? args.seconds_max
	                                      : seconds_for_boot + seconds_a_run * static_cast<u32>(runs);
	fmt::print(stderr, "skbwalk: booting {} under qemu: {} runs of {} scenarios\n", machine.release(),
	           runs, args.plans.size());
	const process_result qemu = run_process(
		{"timeout",
	         fmt::format("{}", seconds),
	         "qemu-system-x86_64",
	         "-M",
	         "q35",
	         "-cpu",
	         "qemu64,+rdrand",
	         "-smp",
	         "1",
	         "-m",
	         "1024",
	         "-icount",
	         "shift=0,sleep=off",
	         "-nographic",
	         "-no-reboot",
	         "-nic",
	         "none",
	         "-rtc",
	         "base=utc",
	         "-monitor",
	         "none",
	         "-kernel",
	         machine.vmlinuz().string(),
	         "-initrd",
	         initrd.string(),
	         "-append",
	         fmt::format(
			 "quiet panic=-1 mitigations=off nowatchdog tsc=reliable random.trust_cpu=on lsm= "
			 "ipv6.disable_ipv6=1 console=ttyS0{}{}",
			 args.append.empty() ? "" : " ", args.append),
	         "-serial",
	         fmt::format("file:{}", console.string()),
	         "-serial",
	         fmt::format("file:{}", back.string())});
	std::error_code ignored;
	fs::remove(initrd, ignored);
	const std::string log = fs::exists(console) ? read_bytes(console) : std::string{};
	if (log.find(end_mark) == std::string::npos)
		throw no_oracle(
			fmt::format("{}: the machine {}; its console is in {}:\n{}{}", machine.release(),
		                    qemu.status == 124 ? fmt::format("was not ready after {} s", seconds)
		                                       : "ended before its time",
		                    console.string(), qemu.output, tail_of(log, 12)));
	if (const process_result tar =
	            run_process({"tar", "xzmf", back.string(), "-C", args.folder.string()});
	    tar.status)
		throw no_oracle(fmt::format("{}: cannot be unpacked: {}; the console is in {}", back.string(),
		                            tar.output, console.string()));
	fs::remove(back, ignored);
	boot_result out{machine.release(), said_by(log, "player: ")};
	for (std::string &line : said_by(log, "oracle: "))
		if (line.find("the player fails") != std::string::npos)
			out.notes.push_back(line.substr(8));
	return out;
}

} // namespace skbwalk::sim
