/*
 * remove.h - a directory with all that is in it.
 */
#ifndef REMOVE_H
#define REMOVE_H

/*
 * Removes it, however deep it is and whatever modes its owner gave to what is in it.
 * Follows no link and stays on its file system. What is not there is no error, also
 * when another one that removes was faster; -1 with errno when something stays. Nobody
 * may make anything in there.
 */
int	remove_tree(const char *dir);

#endif
