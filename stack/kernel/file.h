// SPDX-License-Identifier: GPL-2.0-only
//
// Files and descriptors, as far as a socket needs them (fs/file.c, fs/file_table.c, fs/open.c): a table per
// task group, counted files, and the release that fput puts off to task work.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "stack/kernel/softirq.h"
#include "stack/kernel/wait.h"

namespace skbwalk {

struct file;
struct poll_table;
struct eventpoll;

struct file_operations {
	const char *name;
	u32 (*poll)(file &f, poll_table *pt);
	int (*release)(file &f);
	long (*read_iter)(file &f, void *buf, std::size_t n);
	long (*write_iter)(file &f, const void *buf, std::size_t n);
	void (*put)(file &f); // after release: what the file holds is let go (dput)
};

constexpr u32 O_NONBLOCK_FLAG = 04000;

struct file {
	long f_count = 1;
	u32 f_flags = 0;
	const file_operations *f_op = nullptr;
	void *private_data = nullptr;
	void *f_security = nullptr;            // what security modules keep with the file
	callback_head f_work;                  // put-off release
	list_head f_ep;                        // epitems that watch this file
	void (*ep_release)(file &f) = nullptr; // eventpoll_release_file, where a poll set watches this file
};

struct files_struct {
	std::vector<file *> fd;
	std::vector<bool> open_fds; // taken, installed or not
	u32 next_fd = 0;            // none below is free
	u32 nofile = 1024;          // RLIMIT_NOFILE
	spinlock_t file_lock;
	~files_struct(); // asserts that all are closed (exit_files)
};

// A poll in progress: poll_wait calls qproc, which queues the caller on the wait queue.
struct poll_table {
	void (*qproc)(file &f, wait_queue_head &wq, poll_table &pt) = nullptr;
	u32 key = 0;
};
inline void poll_wait(file &f, wait_queue_head *wq, poll_table *pt)
{
	if (pt && pt->qproc && wq)
		pt->qproc(f, *wq, *pt);
}

constexpr u32 EPOLLIN = 0x001, EPOLLPRI = 0x002, EPOLLOUT = 0x004, EPOLLERR = 0x008, EPOLLHUP = 0x010,
	      EPOLLRDNORM = 0x040, EPOLLRDBAND = 0x080, EPOLLWRNORM = 0x100, EPOLLWRBAND = 0x200,
	      EPOLLRDHUP = 0x2000, EPOLLEXCLUSIVE = 1u << 28, EPOLLONESHOT = 1u << 30, EPOLLET = 1u << 31;

// A borrowed or counted file, as struct fd is.
struct fd_ref {
	file *f = nullptr;
	bool need_put = false;
};
fd_ref __fdget(int fd);             // tail-calls __fget_light
fd_ref __fdget_pos(int fd);         // for a read or write; nothing here has a position to lock
int get_unused_fd_flags(u32 flags); // a slot, or -EMFILE
void put_unused_fd(int fd);
void fd_install(int fd, file &f);
file *alloc_file_pseudo(const file_operations &ops, void *private_data, u32 flags);
int close_fd(int fd); // pick_file, filp_close; 0 or -EBADF
int filp_close(file &f);
inline void get_file(file &f) { ++f.f_count; }
void fput(file &f); // last reference: task work, or at once in a kernel thread
void __fput(file &f);
inline void fdput(fd_ref f)
{
	TRACE_INLINE();
	if (f.need_put)
		fput(*f.f);
}
// Closes what the current task has open, unless another task shares the table. A task's end does this.
void exit_files();

} // namespace skbwalk
