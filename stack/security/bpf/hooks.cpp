// SPDX-License-Identifier: GPL-2.0-only
//
// The BPF module (security/bpf/hooks.c, kernel/bpf/bpf_lsm.c): for each hook a function bpf_lsm_NAME to which
// a program could be attached. None is, so that each gives the hook's default, as in the kernel. The list of
// hooks is that of security.h.
#include <cerrno>
#include <string_view>
#include <type_traits>

#include "stack/security/security.h"
#include "stack/trace/trace.h"

namespace skbwalk {

namespace {

// What a hook answers when nobody was asked: an option that no module knows does not exist.
template <class R> constexpr R default_of(std::string_view hook)
{
	if constexpr (std::is_same_v<R, int>)
		return hook == "socket_getpeersec_stream" ? -ENOPROTOOPT : 0;
}

} // namespace

// clang-format off
#define SKBWALK_X(ret, name, params) static ret bpf_lsm_##name params { TRACE(); return default_of<ret>(#name); }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
SKBWALK_LSM_HOOKS(SKBWALK_X)
#pragma GCC diagnostic pop
#undef SKBWALK_X
// clang-format on

// not traced: the kernel's bpf_lsm_init runs before ftrace is there
void security_add_hooks_bpf()
{
#define SKBWALK_X(ret, name, params) lsm_hooks().name.push_back(bpf_lsm_##name);
	SKBWALK_LSM_HOOKS(SKBWALK_X)
#undef SKBWALK_X
}

} // namespace skbwalk
