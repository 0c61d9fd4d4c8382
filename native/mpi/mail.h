// Messages from rank to rank, beside whatever collective is under way. Those from one rank to another arrive in order.
#pragma once
#include <functional>
#include <list>
#include <string>

#include "call.h"

namespace rectiflow::mpi {

enum class MailKind : int { message = 1, failure = 2, end = 3 };

class Mail {
 public:
  using Deliver = std::function<void(int from, MailKind kind, std::string bytes)>;

  Mail(MPI_Comm comm, Deliver deliver) : comm_(comm), deliver_(std::move(deliver)) {}

  void send(int to, MailKind kind, std::string bytes);
  // Sends and receives what goes without waiting. Returns whether anything moved.
  bool advance();
  bool hasSentAll() const { return outgoing_.empty(); }

 private:
  struct Outgoing {
    std::string bytes;
    MPI_Request request = MPI_REQUEST_NULL;
  };

  bool receive();

  const MPI_Comm comm_;
  const Deliver deliver_;
  std::list<Outgoing> outgoing_;
  std::string incoming_;
  MPI_Request receiving_ = MPI_REQUEST_NULL;
  int from_ = 0, kind_ = 0;
};

}  // namespace rectiflow::mpi
