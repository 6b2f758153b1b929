#include "cinecortex/io/pickle.hpp"

#include <set>

#include "pickle_stream.hpp"

namespace cinecortex::io {

struct SubmissionWriter::Impl {
  explicit Impl(const std::filesystem::path& file) : stream(file) {}
  PickleStream stream;
  std::set<std::string> subjects, runs;
  bool in_subject = false;
};

SubmissionWriter::SubmissionWriter(const std::filesystem::path& file) : impl_(std::make_unique<Impl>(file)) {}
SubmissionWriter::~SubmissionWriter() = default;

void SubmissionWriter::begin_subject(const std::string& subject) {
  if (impl_->in_subject) throw Error("internal: a subject of the submission begins inside another");
  if (!impl_->subjects.insert(subject).second)
    throw Error("internal: " + subject + " comes twice in the submission");
  impl_->in_subject = true;
  impl_->runs.clear();
  impl_->stream.text(subject);
  impl_->stream.begin_dict();
}

void SubmissionWriter::add_run(const std::string& run, const MatrixF& prediction) {
  if (!impl_->in_subject) throw Error("internal: a run of the submission belongs to no subject");
  if (!impl_->runs.insert(run).second) throw Error("internal: " + run + " comes twice in the submission");
  impl_->stream.text(run);
  impl_->stream.float32_array(prediction);
  impl_->stream.set_item();
}

void SubmissionWriter::end_subject() {
  if (!impl_->in_subject) throw Error("internal: a subject of the submission ends that did not begin");
  impl_->in_subject = false;
  impl_->stream.set_item();
}

void SubmissionWriter::finish() {
  if (impl_->in_subject) throw Error("internal: the submission ends inside a subject");
  impl_->stream.finish();
}

}  // namespace cinecortex::io
