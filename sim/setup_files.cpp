// SPDX-License-Identifier: GPL-2.0-only
//
// `echo VALUE > FILE` and `cat FILE`, for the files of /proc and /sys that are modelled: packet steering of a
// queue, a device's polling and statistics, softnet_stat, interrupts, softirqs, the affinity of
// interrupts, and sysctls under /proc/sys.
#include <algorithm>
#include <cstring>
#include <optional>

#include <fmt/format.h>

#include "sim/setup_command.h"
#include "stack/core/net_sysfs.h"
#include "stack/core/netdev_queues.h"
#include "stack/core/rps.h"
#include "stack/kernel/hardirq.h"

namespace skbwalk::sim {

namespace {

struct queue_file {
	net_device *dev = nullptr;
	netdev_rx_queue *queue = nullptr;
	u16 tx = 0;
	std::string name;
};

// /sys/class/net/DEV/queues/rx-N/FILE or tx-N/FILE of the namespace; no device where there is no such queue.
queue_file find_queue_file(const command &c, std::string_view path)
{
	constexpr std::string_view stem = "/sys/class/net/", middle = "/queues/", rx = "rx-", tx = "tx-";
	if (!path.starts_with(stem))
		return {};
	path.remove_prefix(stem.size());
	const std::size_t at = path.find(middle);
	if (at == std::string_view::npos)
		return {};
	net_device *dev = __dev_get_by_name(*c.in, std::string{path.substr(0, at)});
	std::string_view rest = path.substr(at + middle.size());
	const bool receives = rest.starts_with(rx);
	if (!dev || (!receives && !rest.starts_with(tx)))
		return {};
	rest.remove_prefix(rx.size());
	const std::size_t slash = rest.find('/');
	const auto index = parse_number(rest.substr(0, slash), 4096);
	if (slash == std::string_view::npos || !index ||
	    *index >= (receives ? dev->num_rx_queues : dev->real_num_tx_queues))
		return {};
	return {dev, receives ? &dev->_rx[*index] : nullptr, static_cast<u16>(*index),
	        std::string{rest.substr(slash + 1)}};
}

// /sys/class/net/DEV/FILE; null where there is no such device.
struct device_file {
	net_device *dev = nullptr;
	std::string name;
};
device_file find_device_file(const command &c, std::string_view path)
{
	constexpr std::string_view stem = "/sys/class/net/";
	if (!path.starts_with(stem))
		return {};
	path.remove_prefix(stem.size());
	const std::size_t slash = path.find('/');
	if (slash == std::string_view::npos)
		return {};
	return {__dev_get_by_name(*c.in, std::string{path.substr(0, slash)}),
	        std::string{path.substr(slash + 1)}};
}

// The number of the line in /proc/irq/N/smp_affinity.
std::optional<unsigned> line_of_affinity_file(std::string_view path)
{
	constexpr std::string_view stem = "/proc/irq/", end = "/smp_affinity";
	if (!path.starts_with(stem) || !path.ends_with(end) || path.size() <= stem.size() + end.size())
		return {};
	path = path.substr(stem.size(), path.size() - stem.size() - end.size());
	const auto irq = parse_number(path, 4095);
	if (!irq || !irq_has_affinity_file(static_cast<unsigned>(*irq)))
		return {};
	return static_cast<unsigned>(*irq);
}

[[noreturn]] void no_file(const command &c, std::string_view tool, const std::string &path)
{
	if (!path.starts_with("/sys/class/net/") && !path.starts_with("/proc/"))
		c.not_modelled(path);
	command::fails(fmt::format("{}: {}: No such file or directory", tool, path));
}

// The name of a sysctl's file; empty: it is none.
std::string sysctl_key(const std::string &path)
{
	constexpr std::string_view stem = "/proc/sys/";
	return path.starts_with(stem) ? path.substr(stem.size()) : std::string{};
}

std::optional<u64> device_value(const device_file &file)
{
	constexpr std::string_view statistics = "statistics/";
	if (!file.dev)
		return {};
	if (file.name == "gro_flush_timeout")
		return file.dev->gro_flush_timeout;
	if (file.name == "napi_defer_hard_irqs")
		return static_cast<u64>(file.dev->napi_defer_hard_irqs);
	if (file.name == "threaded")
		return u64{file.dev->threaded};
	if (file.name.starts_with(statistics))
		return netstat_show(*file.dev, std::string_view{file.name}.substr(statistics.size()));
	return {};
}

} // namespace

void echo(command &c)
{
	if (c.peek() == "-n")
		c.take("-n");
	std::string value = c.take("what to write");
	while (c.more() && c.peek() != ">")
		value += " " + c.take("what to write");
	if (c.take("> and a file") != ">")
		c.bad("expected > and a file");
	const std::string path = c.take("a file");
	c.done();
	if (const std::string key = sysctl_key(path); !key.empty()) {
		c.words = {"sysctl", "-w", key + "=" + value};
		c.at = 1;
		sysctl(c);
		c.out.clear();
		return;
	}
	const queue_file file = find_queue_file(c, path);
	int err = 0;
	if (file.queue && file.name == "rps_cpus")
		err = store_rps_map(*file.queue, value);
	else if (file.queue && file.name == "rps_flow_cnt")
		err = store_rps_dev_flow_table_cnt(*file.queue, value);
	else if (file.dev && !file.queue && file.name == "xps_cpus")
		err = xps_cpus_store(*file.dev, file.tx, value);
	else if (file.dev && !file.queue && file.name == "xps_rxqs")
		err = xps_rxqs_store(*file.dev, file.tx, value);
	else if (const auto irq = line_of_affinity_file(path))
		err = write_irq_affinity(*irq, value);
	else if (const device_file of = find_device_file(c, path); of.dev && of.name == "gro_flush_timeout")
		err = gro_flush_timeout_store(*of.dev, value);
	else if (of.dev && of.name == "napi_defer_hard_irqs")
		err = napi_defer_hard_irqs_store(*of.dev, value);
	else if (of.dev && of.name == "threaded")
		err = threaded_store(*of.dev, value);
	else
		no_file(c, "sh: 1: cannot create", path);
	if (err)
		command::fails(fmt::format("sh: 1: echo: echo: I/O error: {}", std::strerror(-err)));
}

void cat(command &c)
{
	const std::string path = c.take("a file");
	c.done();
	if (const std::string key = sysctl_key(path); !key.empty()) {
		c.words = {"sysctl", "-n", key};
		c.at = 1;
		sysctl(c);
		return;
	}
	const queue_file file = find_queue_file(c, path);
	int err = 0;
	if (path == "/proc/net/softnet_stat")
		c.out += softnet_stat();
	else if (path == "/proc/interrupts")
		c.out += show_interrupts();
	else if (path == "/proc/softirqs")
		c.out += show_softirqs();
	else if (file.queue && file.name == "rps_cpus")
		c.out += show_rps_map(*file.queue);
	else if (file.queue && file.name == "rps_flow_cnt")
		c.out += show_rps_dev_flow_table_cnt(*file.queue);
	else if (file.dev && !file.queue && file.name == "xps_cpus")
		err = xps_cpus_show(*file.dev, file.tx, c.out);
	else if (file.dev && !file.queue && file.name == "xps_rxqs")
		err = xps_rxqs_show(*file.dev, file.tx, c.out);
	else if (const auto irq = line_of_affinity_file(path))
		c.out += irq_affinity_proc_show(*irq);
	else if (const std::optional<u64> value = device_value(find_device_file(c, path)))
		c.out += fmt::format("{}\n", *value);
	else
		no_file(c, "cat", path);
	if (err)
		command::fails(fmt::format("cat: {}: {}", path, std::strerror(-err)));
}

} // namespace skbwalk::sim
