#include "mail.h"

namespace rectiflow::mpi {

void Mail::send(int to, MailKind kind, std::string bytes) {
  outgoing_.push_back({std::move(bytes)});
  Outgoing& mail = outgoing_.back();
  RF_MPI(Isend, mail.bytes.data(), (int)mail.bytes.size(), MPI_BYTE, to, (int)kind, comm_, &mail.request);
}

bool Mail::advance() {
  bool moved = false;
  for (auto mail = outgoing_.begin(); mail != outgoing_.end();) {
    int sent = 0;
    RF_MPI(Test, &mail->request, &sent, MPI_STATUS_IGNORE);
    moved = moved || sent;
    mail = sent ? outgoing_.erase(mail) : std::next(mail);
  }
  while (receive()) moved = true;
  return moved;
}

// One at a time: a message that is on its way is not overtaken by those after it.
bool Mail::receive() {
  if (receiving_ == MPI_REQUEST_NULL) {
    int found = 0, size = 0;
    MPI_Status status;
    RF_MPI(Iprobe, MPI_ANY_SOURCE, MPI_ANY_TAG, comm_, &found, &status);
    if (!found) return false;
    RF_MPI(Get_count, &status, MPI_BYTE, &size);
    from_ = status.MPI_SOURCE;
    kind_ = status.MPI_TAG;
    incoming_.resize((size_t)size);
    RF_MPI(Irecv, &incoming_[0], size, MPI_BYTE, from_, kind_, comm_, &receiving_);
  }
  int arrived = 0;
  RF_MPI(Test, &receiving_, &arrived, MPI_STATUS_IGNORE);
  if (!arrived) return false;
  deliver_(from_, (MailKind)kind_, std::move(incoming_));
  incoming_ = std::string();
  return true;
}

}  // namespace rectiflow::mpi
