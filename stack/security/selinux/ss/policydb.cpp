// SPDX-License-Identifier: GPL-2.0-only
//
// security/selinux/ss/policydb.c, as far as a policy that is there already is looked at, and the names of the
// initial SIDs (security/selinux/include/initial_sid_to_string.h).
#include "stack/security/selinux/ss/policydb.h"

#include <algorithm>
#include <array>

namespace skbwalk {

namespace {

constexpr std::array<std::string_view, SECINITSID_NUM + 1> initial_sids = {
	"",       "kernel", "security", "unlabeled", "", "file", "", "any_socket", "port", "netif",
	"netmsg", "node",   "",         "",          "", "",     "", "",           "",     "",
	"",       "",       "",         "",          "", "",     "", "devnull"};

} // namespace

// not traced: the kernel has a table here
u32 initial_sid_by_name(std::string_view name)
{
	const auto it = std::ranges::find(initial_sids, name);

	return name.empty() || it == initial_sids.end() ? 0 : static_cast<u32>(it - initial_sids.begin());
}

// not traced: as above
std::string_view initial_sid_name(u32 sid)
{
	return sid < initial_sids.size() ? initial_sids[sid] : std::string_view{};
}

std::optional<u32> policydb::type_value(std::string_view name) const
{
	const auto it = std::ranges::find(types, name);

	if (it == types.end())
		return {};
	return static_cast<u32>(it - types.begin()) + 1;
}

std::string policydb::text_of(const security_context &c) const
{
	std::string text = users[c.user - 1] + ":" + roles[c.role - 1] + ":" + types[c.type - 1];

	if (!c.range.empty())
		text += ":" + c.range;
	return text;
}

} // namespace skbwalk
