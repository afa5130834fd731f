// SPDX-License-Identifier: GPL-2.0-only
//
// What stands under /sys/class/net/DEV/queues/rx-N (net/core/net-sysfs.c), and the sysctls of packet steering
// (net/core/sysctl_net_core.c). A table that is replaced goes after a grace period. Left out: all other files
// of a device.
#include <bit>
#include <charconv>
#include <cstdio>

#include "stack/core/net_namespace.h"
#include "stack/core/rps.h"

namespace skbwalk {

namespace {

// Keeps what was replaced for those who still read it.
struct replaced {
	rcu_head rcu;
	std::shared_ptr<void> what;
};
void release_after_readers(std::shared_ptr<void> what)
{
	if (!what)
		return;
	auto *const r = new replaced{{}, std::move(what)};

	call_rcu(r->rcu, [](rcu_head *head) { delete reinterpret_cast<replaced *>(head); });
}

std::size_t nr_cpus() { return current.host->cpus.size(); }

// bitmap_parse: hexadecimal digits, in groups of 32 bits with commas between. Bits of cpus that cannot be are
// an error.
int cpumask_parse(std::string_view text, std::vector<bool> &mask)
{
	while (!text.empty() && (text.back() == '\n' || text.back() == ' '))
		text.remove_suffix(1);
	if (text.empty())
		return -EINVAL;
	mask.assign(nr_cpus(), false);

	std::size_t bit = 0, in_group = 0;

	for (auto ch = text.rbegin(); ch != text.rend(); ++ch) {
		if (*ch == ',') {
			if (!in_group)
				return -EINVAL;
			in_group = 0;
			bit = (bit + 31) / 32 * 32;
			continue;
		}
		constexpr std::string_view digits = "0123456789abcdef0123456789ABCDEF";
		const std::size_t digit = digits.find(*ch) % 16;
		if (digits.find(*ch) == std::string_view::npos)
			return -EINVAL;
		if (++in_group > 8)
			return -EOVERFLOW;
		for (int i = 0; i < 4; ++i, ++bit) {
			if (!(digit >> i & 1))
				continue;
			if (bit >= nr_cpus())
				return -EOVERFLOW;
			mask[bit] = true;
		}
	}
	return in_group ? 0 : -EINVAL;
}

// %*pb: as many digits as there can be cpus.
std::string cpumask_text(const std::vector<bool> &mask)
{
	std::string out;

	for (std::size_t chunk = (nr_cpus() + 31) / 32; chunk--;) {
		const std::size_t bits = std::min<std::size_t>(nr_cpus() - chunk * 32, 32);
		u32 word = 0;
		char text[16];

		for (std::size_t i = 0; i < bits; ++i)
			word |= static_cast<u32>(mask[chunk * 32 + i]) << i;
		std::snprintf(text, sizeof(text), "%0*x", static_cast<int>((bits + 3) / 4), word);
		out += text;
		if (chunk)
			out += ',';
	}
	return out;
}

} // namespace

std::string show_rps_map(const netdev_rx_queue &queue)
{
	TRACE();
	std::vector<bool> mask(nr_cpus());

	if (queue.map)
		for (const u16 c : queue.map->cpus)
			mask[c] = true;
	return cpumask_text(mask) + '\n';
}

int store_rps_map(netdev_rx_queue &queue, std::string_view text)
{
	TRACE();
	std::vector<bool> mask;

	if (const int err = cpumask_parse(text, mask))
		return err;

	auto map = std::make_shared<rps_map>();

	for (u16 i = 0; i < mask.size(); ++i)
		if (mask[i])
			map->cpus.push_back(i);
	if (map->cpus.empty())
		map.reset();

	const std::shared_ptr<rps_map> old_map = std::exchange(queue.map, map);

	if (map)
		++rps->needed;
	if (old_map)
		--rps->needed;
	release_after_readers(old_map);
	return 0;
}

std::string show_rps_dev_flow_table_cnt(const netdev_rx_queue &queue)
{
	TRACE();
	const rps_dev_flow_table *const table = queue.rps_flow_table.get();

	return std::to_string(table ? u64{table->mask} + 1 : 0) + '\n';
}

int store_rps_dev_flow_table_cnt(netdev_rx_queue &queue, std::string_view text)
{
	TRACE();
	u64 count = 0;

	while (!text.empty() && text.back() == '\n')
		text.remove_suffix(1);
	if (const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), count);
	    err != std::errc{} || end != text.data() + text.size())
		return err == std::errc::result_out_of_range ? -ERANGE : -EINVAL;

	std::shared_ptr<rps_dev_flow_table> table;

	if (count) {
		const u64 mask = std::bit_ceil(count) - 1;

		if (mask > ~u32{0})
			return -EINVAL;
		if (mask >= 1u << 24) // what this machine could hold
			return -ENOMEM;
		table = std::make_shared<rps_dev_flow_table>();
		table->mask = static_cast<u32>(mask);
		table->flows.resize(mask + 1);
	}
	release_after_readers(std::exchange(queue.rps_flow_table, table));
	return 0;
}

// --- sysctls ---

u32 rps_sock_flow_entries() { return rps->sock_flow_table ? rps->sock_flow_table->mask + 1 : 0; }

int rps_sock_flow_sysctl(long entries)
{
	TRACE();
	const u32 orig_size = rps_sock_flow_entries();

	if (entries < 0 || entries > 1L << 29)
		return -EINVAL;
	if (entries > 1L << 24)
		return -ENOMEM;
	if (!entries) {
		if (orig_size) {
			--rps->needed;
			--rps->rfs_needed;
		}
		release_after_readers(std::exchange(rps->sock_flow_table, nullptr));
		return 0;
	}

	const u32 size = std::bit_ceil(static_cast<u32>(entries));

	if (size != orig_size) {
		auto table = std::make_shared<rps_sock_flow_table>();

		rps->cpu_mask = static_cast<u32>(std::bit_ceil(nr_cpus())) - 1;
		table->mask = size - 1;
		table->ents.resize(size);
		if (!orig_size) {
			++rps->needed;
			++rps->rfs_needed;
		}
		release_after_readers(std::exchange(rps->sock_flow_table, table));
	}
	for (u32 &ent : rps->sock_flow_table->ents)
		ent = RPS_NO_CPU;
	return 0;
}

// not traced: the text of a file
std::string flow_limit_cpu_bitmap()
{
	std::vector<bool> mask(nr_cpus());

	for (std::size_t i = 0; i < mask.size(); ++i)
		mask[i] = softnet.of(*current.host->cpus[i]).flow_limit != nullptr;
	return cpumask_text(mask);
}

int flow_limit_cpu_sysctl(std::string_view text)
{
	TRACE();
	std::vector<bool> mask;

	if (const int err = cpumask_parse(text, mask))
		return err;
	for (std::size_t i = 0; i < mask.size(); ++i) {
		std::shared_ptr<sd_flow_limit> &limit = softnet.of(*current.host->cpus[i]).flow_limit;

		if (limit && !mask[i]) {
			release_after_readers(std::exchange(limit, nullptr));
		} else if (!limit && mask[i]) {
			limit = std::make_shared<sd_flow_limit>();
			limit->buckets.resize(static_cast<std::size_t>(rps->flow_limit_table_len));
		}
	}
	return 0;
}

} // namespace skbwalk
