/* The tree of files that the guest gets: what x07-fsgate --list said, mounted. */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "vm-qemu.h"

static const enum os_view_kind kinds[] = {
	[VM_READ] = OS_VIEW_READ, [VM_WRITE] = OS_VIEW_WRITE,
	[VM_LINK] = OS_VIEW_LINK, [VM_TEXT] = OS_VIEW_TEXT,
	[VM_EMPTY] = OS_VIEW_EMPTY, [VM_HIDE] = OS_VIEW_HIDE,
};

/* Opens what the policy's root was when it was resolved, or nothing. */
static int
open_same(const struct vm_item *it)
{
	struct stat st;
	int fd = os_path_open(AT_FDCWD, it->source, OS_PATH_NOLINKS);

	if (fd == -1 || fstat(fd, &st) == -1)
		refuse_errno("%s", it->source);
	if (st.st_dev != it->dev || st.st_ino != it->ino)
		refuse("%s was replaced while the machine was being prepared; "
		    "run it again", it->source);
	return fd;
}

void
view_mount(int fd, const char *dir)
{
	struct os_view v = { .scratch_bytes = 0 };
	struct os_view_item *items;
	struct vm_item *list;
	const char *what;

	list = vm_view_load(fd, &v.n);
	items = calloc(v.n + 1, sizeof(*items));
	if (items == NULL)
		refuse_errno("memory");
	for (size_t i = 0; i < v.n; i++)
		items[i] = (struct os_view_item){ .kind = kinds[list[i].kind],
		    .path = list[i].path, .text = list[i].text, .fd =
		    list[i].source != NULL ? open_same(&list[i]) : -1 };
	v.items = items;
	if (os_view_at(&v, dir, &what) == -1)
		refuse_errno("%s cannot be shown", what);
	for (size_t i = 0; i < v.n; i++)
		if (items[i].fd != -1)
			close(items[i].fd);
}
