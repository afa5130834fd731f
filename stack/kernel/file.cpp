// SPDX-License-Identifier: GPL-2.0-only
//
// Descriptors and files (fs/file.c, fs/file_table.c, fs/open.c). A descriptor is reserved first and gets its
// file when that is complete. close_fd takes the file out of the table and drops that reference; the last one
// leads, by task work, to
// __fput, which calls the file's release, and after a grace period the object goes back to its cache. Left
// out: locks, leases, notification, LSM: a socket has none of it here.
#include "stack/kernel/file.h"

#include <cassert>
#include <cerrno>
#include <new>
#include <utility>

#include "stack/kernel/internal.h"

namespace skbwalk {

namespace {

// not traced: inlined in the kernel
file *files_lookup_fd_raw(const files_struct &files, int fd)
{
	return fd >= 0 && static_cast<std::size_t>(fd) < files.fd.size()
	               ? files.fd[static_cast<std::size_t>(fd)]
	               : nullptr;
}

fd_ref __fget_light(int fd)
{
	TRACE();
	const std::shared_ptr<files_struct> &files = current.task->files;
	file *f = files ? files_lookup_fd_raw(*files, fd) : nullptr;

	if (!f || files.use_count() == 1)
		return {f, false};
	get_file(*f);
	return {f, true};
}

int expand_files(files_struct &files, u32 nr)
{
	TRACE();
	files.fd.resize(nr < 64 ? 64 : std::size_t{nr} * 2);
	files.open_fds.resize(files.fd.size());
	return 1;
}

int alloc_fd(files_struct &files)
{
	TRACE();
	spin_lock(files.file_lock);
	u32 fd = files.next_fd;

	while (fd < files.open_fds.size() && files.open_fds[fd])
		++fd;
	if (fd >= files.nofile) {
		spin_unlock(files.file_lock);
		return -EMFILE;
	}
	if (fd >= files.fd.size())
		expand_files(files, fd);
	files.next_fd = fd + 1;
	files.open_fds[fd] = true;
	assert(!files.fd[fd]);
	spin_unlock(files.file_lock);
	return static_cast<int>(fd);
}

void __put_unused_fd(files_struct &files, u32 fd)
{
	TRACE();
	files.open_fds[fd] = false;
	if (fd < files.next_fd)
		files.next_fd = fd;
}

file *pick_file(files_struct &files, int fd)
{
	TRACE();
	file *f = files_lookup_fd_raw(files, fd);

	if (f) {
		files.fd[static_cast<std::size_t>(fd)] = nullptr;
		__put_unused_fd(files, static_cast<u32>(fd));
	}
	return f;
}

file *alloc_empty_file(u32 flags)
{
	TRACE();
	kmem_cache *&cache = current.host->state->filp_cachep;

	if (!cache)
		cache = &kmem_cache_create("filp", sizeof(file), alignof(file));
	void *p = kmem_cache_alloc(*cache, GFP_KERNEL);

	if (!p)
		return nullptr;
	file *f = ::new (p) file;

	f->f_flags = flags;
	return f;
}

file *alloc_file(u32 flags, const file_operations &ops)
{
	TRACE();
	file *f = alloc_empty_file(flags);

	if (f)
		f->f_op = &ops;
	return f;
}

file &of_work(callback_head &head)
{
	return *reinterpret_cast<file *>(reinterpret_cast<std::byte *>(&head) - offsetof(file, f_work));
}

void file_free_rcu(callback_head *head)
{
	TRACE();
	file &f = of_work(*head);

	f.~file();
	kmem_cache_free(*current.host->state->filp_cachep, &f);
}

void file_free(file &f)
{
	TRACE();
	call_rcu(f.f_work, file_free_rcu);
}

void ____fput(callback_head *work)
{
	TRACE();
	__fput(of_work(*work));
}

} // namespace

files_struct::~files_struct()
{
	for ([[maybe_unused]] const file *f : fd)
		assert(!f && "a table of descriptors ends with a file open");
}

fd_ref __fdget(int fd)
{
	TRACE();
	return __fget_light(fd);
}

fd_ref __fdget_pos(int fd)
{
	TRACE();
	return __fget_light(fd);
}

int get_unused_fd_flags(u32)
{
	TRACE();
	std::shared_ptr<files_struct> &files = current.task->files;

	if (!files)
		files = std::make_shared<files_struct>();
	return alloc_fd(*files);
}

void put_unused_fd(int fd)
{
	TRACE();
	files_struct &files = *current.task->files;

	spin_lock(files.file_lock);
	__put_unused_fd(files, static_cast<u32>(fd));
	spin_unlock(files.file_lock);
}

void fd_install(int fd, file &f)
{
	TRACE();
	files_struct &files = *current.task->files;
	const auto at = static_cast<std::size_t>(fd);

	assert(files.open_fds[at] && !files.fd[at]);
	files.fd[at] = &f;
}

file *alloc_file_pseudo(const file_operations &ops, void *private_data, u32 flags)
{
	TRACE();
	file *f = alloc_file(flags, ops);

	if (f)
		f->private_data = private_data;
	return f;
}

int close_fd(int fd)
{
	TRACE();
	files_struct *files = current.task->files.get();

	if (!files)
		return -EBADF;
	spin_lock(files->file_lock);
	file *f = pick_file(*files, fd);

	spin_unlock(files->file_lock);
	return f ? filp_close(*f) : -EBADF;
}

int filp_close(file &f)
{
	TRACE();
	assert(f.f_count > 0);
	fput(f);
	return 0;
}

void fput(file &f)
{
	TRACE();
	assert(f.f_count > 0);
	if (--f.f_count)
		return;
	if (current.task && !in_interrupt() && !current.task->is_kthread) {
		f.f_work.func = ____fput;
		task_work_add(*current.task, f.f_work);
		return;
	}
	// Unlike the kernel, which leaves this to a work queue.
	__fput(f);
}

void __fput(file &f)
{
	TRACE();
	if (f.ep_release)
		f.ep_release(f);
	if (f.f_op->release)
		f.f_op->release(f);
	if (f.f_op->put)
		f.f_op->put(f);
	file_free(f);
}

// not traced: a task that ends is no part of any trace
void exit_files()
{
	const std::shared_ptr<files_struct> files = std::move(current.task->files);

	current.task->files.reset();
	if (!files || files.use_count() != 1)
		return;
	for (file *&f : files->fd)
		if (f)
			filp_close(*std::exchange(f, nullptr));
}

} // namespace skbwalk
