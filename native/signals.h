#pragma once

namespace rectiflow {

// Milliseconds until a signal that JavaScript has not heard ends the process, and until one does that came again.
struct Patience {
  int first, again;
};

// The process ends with this code where the signal is not heard. JavaScript must listen to the signal already.
void guardSignal(int signal, int code, Patience patience);

// JavaScript has heard all signals so far.
void hearSignals();

}  // namespace rectiflow
