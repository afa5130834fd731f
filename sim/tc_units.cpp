// SPDX-License-Identifier: GPL-2.0-only
//
// See tc_units.h. The tables of distributions are computed as iproute2's are (4096 values, 8192 to the unit):
// a normal one by its inverse, Pareto's of shape 3, and a mixture of a quarter and three quarters of the two.
#include "sim/tc_units.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

namespace skbwalk::sim {

namespace {

struct unit {
	std::string_view name;
	double factor;
};

// A number and one of the units.
template <std::size_t N>
std::optional<double> with_unit(const std::string &text, const std::array<unit, N> &units, double bare,
                                bool any_case)
{
	char *end = nullptr;
	const double value = std::strtod(text.c_str(), &end);
	std::string name = end;

	if (end == text.c_str())
		return {};
	if (any_case)
		std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
	if (name.empty())
		return value * bare;
	const auto known = std::ranges::find(units, name, &unit::name);
	if (known == units.end())
		return {};
	return value * known->factor;
}

// No "nan", and nothing that T cannot hold: its greatest value may be no double, the power of two behind it
// is.
template <class T> std::optional<T> within(std::optional<double> value)
{
	if (!value || !(*value >= static_cast<double>(std::numeric_limits<T>::min())) ||
	    !(*value < std::ldexp(1., std::numeric_limits<T>::digits)))
		return {};
	return static_cast<T>(*value);
}

constexpr std::array<unit, 10> times_ns = {{{"s", 1e9},
                                            {"sec", 1e9},
                                            {"secs", 1e9},
                                            {"ms", 1e6},
                                            {"msec", 1e6},
                                            {"msecs", 1e6},
                                            {"us", 1e3},
                                            {"usec", 1e3},
                                            {"usecs", 1e3},
                                            {"ns", 1}}};
constexpr std::array<unit, 20> rates = {{{"bit", 1},
                                         {"kibit", 1024.},
                                         {"kbit", 1e3},
                                         {"mibit", 1024. * 1024},
                                         {"mbit", 1e6},
                                         {"gibit", 1073741824.},
                                         {"gbit", 1e9},
                                         {"tibit", 1099511627776.},
                                         {"tbit", 1e12},
                                         {"bps", 8.},
                                         {"kibps", 8. * 1024},
                                         {"kbps", 8e3},
                                         {"mibps", 8388608.},
                                         {"mbps", 8e6},
                                         {"gibps", 8589934592.},
                                         {"gbps", 8e9},
                                         {"tibps", 8796093022208.},
                                         {"tbps", 8e12},
                                         {"kb", 8e3},
                                         {"mb", 8e6}}};
constexpr std::array<unit, 10> sizes = {{{"b", 1},
                                         {"k", 1024.},
                                         {"kb", 1024.},
                                         {"m", 1048576.},
                                         {"mb", 1048576.},
                                         {"g", 1073741824.},
                                         {"gb", 1073741824.},
                                         {"kbit", 128.},
                                         {"mbit", 131072.},
                                         {"gbit", 134217728.}}};

std::optional<u32> parse_hex(std::string_view text)
{
	u32 value = 0;
	if (text.empty())
		return 0;
	const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
	if (err != std::errc{} || end != text.data() + text.size() || value > 0xffff)
		return {};
	return value;
}

// Where the distribution function of the normal distribution is p.
double normal_inverse(double p)
{
	double low = -10, high = 10;
	for (int i = 0; i < 80; ++i) {
		const double middle = (low + high) / 2;
		(0.5 * std::erfc(-middle / std::sqrt(2.)) < p ? low : high) = middle;
	}
	return low;
}

double normal_value(int i)
{
	constexpr double step = .00005; // of x, where iproute2 looks
	return std::floor(normal_inverse((4 * i + .5) / 16384) / step) * step;
}

double pareto_value(int i) { return (1 / std::cbrt((65536 - 16 * i) / 65536.) - 1.5) * 4 / 3; }

} // namespace

std::optional<u32> parse_tc_handle(const std::string &text)
{
	if (text == "none")
		return 0;
	const std::string_view major = std::string_view{text}.substr(0, text.find(':'));
	const auto value = major.empty() ? std::nullopt : parse_hex(major);
	return value ? std::optional{*value << 16} : std::nullopt;
}

std::optional<u32> parse_tc_classid(const std::string &text)
{
	if (text == "root")
		return 0xffffffff;
	if (text == "none")
		return 0;
	const std::size_t colon = text.find(':');
	if (colon == std::string::npos)
		return parse_hex(text);
	const auto major = parse_hex(std::string_view{text}.substr(0, colon));
	const auto minor = parse_hex(std::string_view{text}.substr(colon + 1));
	return major && minor ? std::optional{*major << 16 | *minor} : std::nullopt;
}

std::string tc_handle_text(u32 handle)
{
	if (handle == 0xffffffff)
		return "root";
	if (!handle)
		return "none";
	if (!(handle >> 16))
		return fmt::format(":{:x}", handle & 0xffff);
	if (!(handle & 0xffff))
		return fmt::format("{:x}:", handle >> 16);
	return fmt::format("{:x}:{:x}", handle >> 16, handle & 0xffff);
}

std::optional<s64> parse_tc_time_ns(const std::string &text)
{
	return within<s64>(with_unit(text, times_ns, 1, true));
}

std::optional<u32> parse_tc_time_us(const std::string &text)
{
	if (text.ends_with("ns"))
		return {};
	const auto ns = with_unit(text, times_ns, 1e3, true);
	return within<u32>(ns ? std::optional{*ns / 1e3} : std::nullopt);
}

std::optional<u64> parse_tc_rate(const std::string &text)
{
	const auto bits = with_unit(text, rates, 1, true);
	return within<u64>(bits ? std::optional{*bits / 8} : std::nullopt);
}

std::optional<u32> parse_tc_size(const std::string &text)
{
	return within<u32>(with_unit(text, sizes, 1, true));
}

std::optional<u32> parse_tc_percent(const std::string &text)
{
	char *end = nullptr;
	const double part = std::strtod(text.c_str(), &end) / 100;
	if (end == text.c_str() || !(part >= 0 && part <= 1) || (*end && std::string_view{end} != "%"))
		return {};
	return static_cast<u32>(std::rint(part * 0xffffffffu));
}

std::optional<u32> parse_tc_u32(const std::string &text)
{
	char *end = nullptr;
	if (text.empty() || !std::isdigit(static_cast<unsigned char>(text[0])))
		return {};
	const unsigned long long value = std::strtoull(text.c_str(), &end, 0);
	if (*end || value > 0xffffffffu)
		return {};
	return static_cast<u32>(value);
}

std::string tc_time_us_text(u32 us)
{
	if (us >= 1'000'000)
		return fmt::format("{:.3g}s", us / 1e6);
	return us >= 1000 ? fmt::format("{:.3g}ms", us / 1e3) : fmt::format("{}us", us);
}

std::string tc_time_ns_text(s64 ns)
{
	const auto value = static_cast<double>(ns);
	if (ns >= 1'000'000'000)
		return fmt::format("{:.3g}s", value / 1e9);
	if (ns >= 1'000'000)
		return fmt::format("{:.3g}ms", value / 1e6);
	return ns >= 1000 ? fmt::format("{:.3g}us", value / 1e3) : fmt::format("{}ns", ns);
}

std::string tc_rate_text(u64 bytes_per_second)
{
	constexpr std::string_view units[] = {"", "K", "M", "G", "T"};
	u64 rate = bytes_per_second * 8;
	std::size_t i = 0;
	for (; i + 1 < std::size(units); ++i) {
		if (rate < 1000 || (rate % 1000 && rate < 1000 * 1000))
			break;
		rate /= 1000;
	}
	return fmt::format("{}{}bit", rate, units[i]);
}

std::string tc_size_text(u32 bytes)
{
	const auto rounded = [bytes](double to) { return std::rint(bytes / to); };
	if (bytes >= 1 << 20 && std::fabs((1 << 20) * rounded(1 << 20) - bytes) < 1024)
		return fmt::format("{:g}Mb", rounded(1 << 20));
	if (bytes >= 1024 && std::fabs(1024 * rounded(1024) - bytes) < 16)
		return fmt::format("{:g}Kb", rounded(1024));
	return fmt::format("{}b", bytes);
}

std::string tc_percent_text(u32 part) { return fmt::format("{:g}%", 100. * part / 0xffffffffu); }

std::optional<std::vector<s16>> tc_distribution(const std::string &name)
{
	double (*value)(int) = nullptr;
	if (name == "normal")
		value = normal_value;
	else if (name == "pareto")
		value = pareto_value;
	else if (name == "paretonormal")
		value = [](int i) {
			return .25 * normal_value(i) + .75 * std::min(pareto_value(i), 32767 / 8192.);
		};
	else
		return {};
	constexpr int values = 4096;
	std::vector<s16> out;
	out.reserve(values);
	for (int i = 0; i < values; ++i)
		out.push_back(static_cast<s16>(std::clamp(std::rint(value(i) * 8192), -32768., 32767.)));
	return out;
}

} // namespace skbwalk::sim
