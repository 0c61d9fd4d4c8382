#pragma once
#include "pack.h"
