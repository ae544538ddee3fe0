#include "simulation/descriptor_table.hpp"

#include <utility>

namespace grader {

void DescriptorTable::add(int fd, std::shared_ptr<OpenFile> file, bool lent, std::string opened_by,
                          Time now) {
  open_[fd] = {std::move(file), lent, std::move(opened_by), now};
  grow_for(fd);
}

void DescriptorTable::grow_for(int fd) {
  while (table_size_ <= fd) table_size_ *= 2;
}

const DescriptorTable::Descriptor* DescriptorTable::find(int fd) const {
  const auto it = open_.find(fd);
  return it == open_.end() ? nullptr : &it->second;
}

OpenFile* DescriptorTable::file(int fd) const {
  const Descriptor* descriptor = find(fd);
  return descriptor == nullptr ? nullptr : descriptor->file.get();
}

std::shared_ptr<OpenFile> DescriptorTable::shared_file(int fd) const {
  const Descriptor* descriptor = find(fd);
  return descriptor == nullptr ? nullptr : descriptor->file;
}

void DescriptorTable::remove(int fd, Time now) {
  open_.erase(fd);
  closed_[fd] = now;
}

std::optional<Time> DescriptorTable::closed_at(int fd) const {
  const auto it = closed_.find(fd);
  return it == closed_.end() ? std::nullopt : std::optional(it->second);
}

void DescriptorTable::renumber(int from, int to) {
  auto entry = open_.extract(from);
  entry.key() = to;
  open_.insert(std::move(entry));
  grow_for(to);
}

int DescriptorTable::any_descriptor_of(const OpenFile* file) const {
  for (const auto& [fd, descriptor] : open_)
    if (descriptor.file.get() == file) return fd;
  return -1;
}

int DescriptorTable::listener_at(std::uint16_t port) const {
  for (const auto& [fd, descriptor] : open_)
    if (descriptor.file->listening &&
        (port == 0 || (descriptor.file->bound && descriptor.file->bound->port == port)))
      return fd;
  return -1;
}

std::vector<int> DescriptorTable::owned_by_program() const {
  std::vector<int> result;
  for (const auto& [fd, descriptor] : open_)
    if (!descriptor.lent) result.push_back(fd);
  return result;
}

}  // namespace grader
