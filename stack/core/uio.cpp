// SPDX-License-Identifier: GPL-2.0-only
//
// lib/iov_iter.c: bytes between the stack and a caller's buffer, which is one range of ordinary memory here,
// so that no copy faults; what is asked beyond the end of the buffer is not copied.
#include "stack/core/uio.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "stack/trace/trace.h"

namespace skbwalk {

namespace {

constexpr std::size_t max_rw_count = 0x7ffff000;

} // namespace

int import_single_range(bool data_source, void *buf, std::size_t len, iov_iter &i)
{
	TRACE();
	i = {static_cast<u8 *>(buf), std::min(len, max_rw_count), 0, data_source};
	return 0;
}

void iov_iter_advance(iov_iter &i, std::size_t n)
{
	TRACE();
	n = std::min(n, i.count);
	i.count -= n;
	i.iov_offset += n;
}

void iov_iter_revert(iov_iter &i, std::size_t n)
{
	TRACE();
	assert(n <= i.iov_offset);
	i.count += n;
	i.iov_offset -= n;
}

std::size_t _copy_to_iter(const void *from, std::size_t n, iov_iter &i)
{
	TRACE();
	assert(!i.data_source);
	n = std::min(n, i.count);
	if (n)
		std::memcpy(i.base + i.iov_offset, from, n);
	i.count -= n;
	i.iov_offset += n;
	return n;
}

std::size_t _copy_from_iter(void *to, std::size_t n, iov_iter &i)
{
	TRACE();
	assert(i.data_source);
	n = std::min(n, i.count);
	if (n)
		std::memcpy(to, i.base + i.iov_offset, n);
	i.count -= n;
	i.iov_offset += n;
	return n;
}

// not traced: header inline without a name of interest
bool copy_from_iter_full(void *to, std::size_t n, iov_iter &i)
{
	const std::size_t copied = _copy_from_iter(to, n, i);

	if (copied == n)
		return true;
	iov_iter_revert(i, copied);
	return false;
}

static std::size_t csum_and_copy_from_iter(void *to, std::size_t n, __wsum &csum, iov_iter &i)
{
	TRACE();
	assert(i.data_source);
	n = std::min(n, i.count);
	csum = csum_add(csum, csum_and_copy_from_user(i.base + i.iov_offset, to, static_cast<u32>(n)));
	i.count -= n;
	i.iov_offset += n;
	return n;
}

// not traced: header inline without a name of interest
bool csum_and_copy_from_iter_full(void *to, std::size_t n, __wsum &csum, iov_iter &i)
{
	const __wsum before = csum;
	const std::size_t copied = csum_and_copy_from_iter(to, n, csum, i);

	if (copied == n)
		return true;
	csum = before;
	iov_iter_revert(i, copied);
	return false;
}

std::size_t csum_and_copy_to_iter(const void *from, std::size_t n, csum_state &csstate, iov_iter &i)
{
	TRACE();
	assert(!i.data_source);
	n = std::min(n, i.count);
	const __wsum sum = csum_and_copy_to_user(from, i.base + i.iov_offset, static_cast<u32>(n));
	csstate.csum = csum_block_add(csstate.csum, sum, static_cast<u32>(csstate.off));
	csstate.off += n;
	i.count -= n;
	i.iov_offset += n;
	return n;
}

} // namespace skbwalk
