// SPDX-License-Identifier: GPL-2.0-only
//
// Sets of a host's cpus (include/linux/cpumask.h), 64 at most.
#pragma once

#include <bit>

#include "stack/kernel/sched.h"

namespace skbwalk {

struct cpumask {
	u64 bits = 0;

	friend bool operator==(cpumask, cpumask) = default;
	friend cpumask operator&(cpumask a, cpumask b) { return {a.bits & b.bits}; }
};

constexpr int nr_cpumask_bits = 64;

inline cpumask cpumask_of(int cpu) { return {u64{1} << cpu}; }
inline bool cpumask_test_cpu(int cpu, cpumask m) { return m.bits >> cpu & 1; }
inline void cpumask_set_cpu(int cpu, cpumask &m) { m.bits |= u64{1} << cpu; }
inline void cpumask_clear_cpu(int cpu, cpumask &m) { m.bits &= ~(u64{1} << cpu); }
inline bool cpumask_empty(cpumask m) { return m.bits == 0; }
inline bool cpumask_intersects(cpumask a, cpumask b) { return (a.bits & b.bits) != 0; }
inline int cpumask_first(cpumask m) { return std::countr_zero(m.bits); } // 64 if there is none
// All cpus of a host are online as long as it lives.
inline cpumask cpu_online_mask(const host &h)
{
	return {h.cpus.size() >= nr_cpumask_bits ? ~u64{0} : (u64{1} << h.cpus.size()) - 1};
}
inline cpumask cpu_online_mask() { return cpu_online_mask(*current.host); }

} // namespace skbwalk
