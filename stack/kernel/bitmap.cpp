// SPDX-License-Identifier: GPL-2.0-only
//
// From text to a set of cpus (bitmap_parse) and back (%*pb).
#include "stack/kernel/bitmap.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "stack/trace/trace.h"

namespace skbwalk {

static std::size_t nr_cpus() { return current.host->cpus.size(); }

int cpumask_parse(std::string_view text, cpumask &mask)
{
	TRACE_INLINE();
	mask = {};
	while (!text.empty() && (text.back() == '\n' || text.back() == ' '))
		text.remove_suffix(1);
	if (text.empty())
		return -EINVAL;

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
			cpumask_set_cpu(static_cast<int>(bit), mask);
		}
	}
	return in_group ? 0 : -EINVAL;
}

// not traced: a format of printf's
std::string bitmap_text(cpumask mask, std::size_t nbits)
{
	std::string out;

	for (std::size_t chunk = (nbits + 31) / 32; chunk--;) {
		const std::size_t bits = std::min<std::size_t>(nbits - chunk * 32, 32);
		char text[16];

		std::snprintf(text, sizeof(text), "%0*x", static_cast<int>((bits + 3) / 4),
		              static_cast<u32>(mask.bits >> chunk * 32));
		out += text;
		if (chunk)
			out += ',';
	}
	return out;
}

// not traced: as above
std::string cpumask_text(cpumask mask) { return bitmap_text(mask, nr_cpus()); }

} // namespace skbwalk
