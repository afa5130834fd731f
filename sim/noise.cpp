// SPDX-License-Identifier: GPL-2.0-only
//
// Reads the list and finds its functions among differences.
#include "sim/noise.h"

#include <algorithm>
#include <optional>

#include "sim/embedded.h"

namespace skbwalk::sim {

namespace {

noise_list read_list()
{
	noise_list out;
	for (const embedded_file &f : embedded_profiles()) {
		if (!f.name.ends_with(".noise"))
			continue;
		std::string_view rest = f.text;
		while (!rest.empty()) {
			const std::string_view line = rest.substr(0, rest.find('\n'));
			rest.remove_prefix(std::min(line.size() + 1, rest.size()));
			const std::size_t tab = line.find('\t');
			if (!line.starts_with('#') && tab != std::string_view::npos)
				out.emplace(line.substr(0, tab), line.substr(tab + 1));
		}
	}
	return out;
}

// One side: which differences are in the list or below one that is; the listed function of each, or none.
std::vector<std::optional<std::string_view>> causes(const std::vector<edge> &edges,
                                                    const std::vector<bool> &common, const noise_list &list)
{
	std::vector<std::optional<std::string_view>> out(edges.size());
	std::vector<u32> above; // the path to the edge before
	for (u32 i = 0; i < edges.size(); ++i) {
		while (above.size() > edges[i].depth)
			above.pop_back();
		if (!common[i]) {
			if (const auto it = list.find(edges[i].callee); it != list.end())
				out[i] = it->first;
			else if (!above.empty())
				out[i] = out[above.back()];
		}
		above.push_back(i);
	}
	return out;
}

} // namespace

const noise_list &known_noise()
{
	static const noise_list list = read_list();
	return list;
}

noise_found find_noise(const std::vector<edge> &left, const std::vector<edge> &right,
                       const std::vector<std::pair<u32, u32>> &pairs, const noise_list &list)
{
	std::vector<bool> common_left(left.size()), common_right(right.size());
	for (const auto &[i, j] : pairs)
		common_left[i] = common_right[j] = true;
	auto a = causes(left, common_left, list);
	auto b = causes(right, common_right, list);

	// Between two pairs: what one side has as noise explains the same function on the other.
	const auto explain = [](const std::vector<edge> &from, const auto &cause, u32 from_begin,
	                        u32 from_end, const std::vector<edge> &to, auto &into, u32 to_begin,
	                        u32 to_end) {
		for (u32 i = from_begin, j = to_begin; i < from_end; ++i) {
			if (!cause[i] || *cause[i] == from[i].callee)
				continue;
			for (u32 k = j; k < to_end; ++k)
				if (!into[k] && to[k].callee == from[i].callee) {
					into[k] = cause[i];
					j = k + 1;
					break;
				}
		}
	};
	u32 i = 0, j = 0;
	const auto hunk = [&](u32 i_end, u32 j_end) {
		explain(left, a, i, i_end, right, b, j, j_end);
		explain(right, b, j, j_end, left, a, i, i_end);
		i = i_end + 1;
		j = j_end + 1;
	};
	for (const auto &[x, y] : pairs)
		hunk(x, y);
	hunk(static_cast<u32>(left.size()), static_cast<u32>(right.size()));

	noise_found out;
	for (const auto &[from, into] : {std::pair{&a, &out.left}, std::pair{&b, &out.right}})
		for (const auto &cause : *from) {
			into->push_back(cause.has_value());
			if (cause)
				++out.functions[*cause];
		}
	return out;
}

} // namespace skbwalk::sim
