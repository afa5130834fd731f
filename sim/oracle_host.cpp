// SPDX-License-Identifier: GPL-2.0-only
//
// This machine's own kernel: the player makes namespaces of its own, but the tracer is everybody's, so one in
// use is left alone and everything is put back.
#include <fstream>
#include <optional>

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "sim/oracle_boot.h"
#include "sim/oracle_image.h"
#include "sim/oracle_plan.h"
#include "sim/process.h"

namespace skbwalk::sim {

namespace {

namespace fs = std::filesystem;

void refuse_where_impossible(const std::string &player, bool records)
{
	static const fs::path lockdown = "/sys/kernel/security/lockdown";
	std::error_code ignored;

	if (geteuid() != 0)
		throw no_oracle("--host: expected root: tracefs and namespaces are root's");
	if (!records)
		return;
	if (fs::exists(lockdown, ignored) &&
	    read_bytes(lockdown).find("[confidentiality]") != std::string::npos)
		throw no_oracle("--host: this kernel is locked down (confidentiality): it lets nobody trace");
	if (const process_result check = run_process({player, "--check"}); check.status)
		throw no_oracle(fmt::format("--host: function_graph cannot be used here: {}",
		                            check.output.substr(0, check.output.find('\n'))));
}

void write_text(const fs::path &file, const std::string &text)
{
	std::ofstream out{file, std::ios::binary};
	out << text;
	out.close();
	if (!out)
		throw no_oracle(fmt::format("{}: cannot be written", file.string()));
}

struct filtered { // for as long as it lives
	filtered(std::string with, const std::string &functions) : player(std::move(with))
	{
		if (const process_result r = run_process({player, "--filter", functions}); r.status)
			throw no_oracle(fmt::format("--host: {}", r.output));
	}
	~filtered() { static_cast<void>(run_process({player, "--unfilter"})); }
	filtered(const filtered &) = delete;
	filtered &operator=(const filtered &) = delete;
	std::string player;
};

} // namespace

boot_result play_on_this_host(const boot_args &args)
{
	const std::string player = find_player(args.player).string();
	refuse_where_impossible(player, args.records);
	const fs::path functions = args.folder / "functions";
	std::optional<filtered> during;
	if (args.records) {
		write_text(functions, recorded_functions());
		during.emplace(player, functions.string());
	}
	utsname name{};
	static_cast<void>(uname(&name));
	boot_result out{name.release, {}};
	for (const played_plan &p : args.plans) {
		const fs::path plan = args.folder / (plan_stem(*p.what) + ".plan");
		write_text(plan, write_plan(*p.what));
		for (const std::string &variant : p.variants)
			if (const process_result r =
			            run_process({player, plan.string(), args.folder.string(), variant});
			    r.status)
				out.notes.push_back(
					fmt::format("{} {}: {}", p.what->name, variant, r.output));
	}
	return out;
}

} // namespace skbwalk::sim
