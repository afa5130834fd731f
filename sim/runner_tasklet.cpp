// SPDX-License-Identifier: GPL-2.0-only
//
// A host's tasklets by name, made when first named. Each works for the time that its last schedule gave,
// little by little, so that other cpus go on meanwhile.
#include "sim/runner_tasklet.h"

#include <algorithm>
#include <map>

#include "stack/kernel/cpus.h"
#include "stack/kernel/percpu.h"
#include "stack/kernel/tasklet.h"

namespace skbwalk::sim {

namespace {

struct worker {
	tasklet_struct tasklet; // first
	u64 work_ns = 0;
	int inside = 0, most_inside = 0;
	long runs = 0;
};
perhost<std::map<std::string, worker>> workers;

void work(tasklet_struct &t)
{
	worker &w = reinterpret_cast<worker &>(t);
	const u64 end_ns = current.cpu->now_ns + w.work_ns;

	++w.runs;
	w.most_inside = std::max(w.most_inside, ++w.inside);
	if (current.host->cpus.size() == 1)
		charge(w.work_ns);
	while (current.cpu->now_ns < end_ns)
		cpu_relax();
	--w.inside;
}

} // namespace

long use_tasklet(const step &s)
{
	// Other cpus see it when it is set up.
	if (!workers->contains(s.as)) {
		std::map<std::string, worker> made;
		tasklet_setup(made[s.as].tasklet, work);
		workers->merge(made);
	}
	worker &w = workers->at(s.as);
	const std::string_view op = tasklet_ops[s.op];

	if (op == "disable") {
		tasklet_disable(w.tasklet);
	} else if (op == "enable") {
		if (w.tasklet.count == 0)
			return -EINVAL;
		tasklet_enable(w.tasklet);
	} else if (op == "kill") {
		tasklet_kill(w.tasklet);
		return w.most_inside > 1 ? -EALREADY : w.runs;
	} else {
		w.work_ns = s.sleep_ns;
		local_bh_disable();
		if (op == "schedule")
			tasklet_schedule(w.tasklet);
		else
			tasklet_hi_schedule(w.tasklet);
		local_bh_enable();
	}
	return 0;
}

void end_tasklets()
{
	for (auto &[name, w] : *workers)
		while (w.tasklet.count)
			tasklet_enable(w.tasklet);
}

} // namespace skbwalk::sim
