// Logarithm, cosine and sine of doubles to the bit of fdlibm (Sun Microsystems 1993: e_log.c, e_rem_pio2.c, k_sin.c, k_cos.c), of which
// JavaScript engines have made their Math.log, Math.cos and Math.sin, that of Node.js 20 among them. So the order of operations is
// fdlibm's, and every product that is added to something is rounded first. Errors are below one unit in the last place.
//
// Only for what random draws ask about: numbers in [2^-25, 1), and angles from 2^-24 to 2 pi.
#pragma once
#include "float64.h"

namespace rectiflow {
namespace RF_NS {

static RF_INLINE vd choose(vq mask, vd a, vd b) { return (vd)((mask & (vq)a) | (~mask & (vq)b)); }

// c[0] + x (c[1] + x (c[2] + ...)), every product rounded.
template <int kCount>
static RF_INLINE vd polynomial(vd x, const double (&c)[kCount]) {
  vd sum = splatDouble(c[kCount - 1]);
#pragma GCC unroll 8
  for (int i = kCount - 2; i >= 0; i--) sum = rounded(x * sum) + c[i];
  return sum;
}

// x = 2^k (1 + f), log x = k log 2 + log(1 + f).
static RF_INLINE vd fdlibmLog(vd x) {
  const double even[] = {3.999999999940941908e-01, 2.222219843214978396e-01, 1.531383769920937332e-01};
  const double odd[] = {6.666666666666735130e-01, 2.857142874366239149e-01, 1.818357216161805012e-01, 1.479819860511658591e-01};
  const vq high = (vq)x >> 32, mantissa = high & 0xfffffu;
  const vq carry = (mantissa + 0x95f64u) & 0x100000u;
  const vd k = toDouble((high >> 20) + (carry >> 20)) - 1023.;
  const vd f = (vd)(((vq)x & 0xffffffffu) | (mantissa | (carry ^ 0x3ff00000u)) << 32) - 1.;
  const vd kHigh = rounded(k * 6.93147180369123816490e-01), kLow = rounded(k * 1.90821492927058770002e-10);

  const vd s = f / (f + 2.), z = s * s, w = z * z;
  const vd r = rounded(z * polynomial(w, odd)) + rounded(w * polynomial(w, even));
  const vd half = rounded(f * 0.5 * f);
  const vd wide = half - (rounded(s * (half + r)) + kLow);
  const vd narrow = rounded(s * (f - r)) - kLow;
  const vd tiny = rounded(f * f * (0.5 - rounded(f * 0.33333333333333333))) - kLow;

  const vq isWide = (vq)(mantissa >= 0x6147au) & (vq)(mantissa <= 0x6b851u);
  const vq isTiny = (vq)(((mantissa + 2) & 0xfffffu) < 3u);
  return kHigh - (choose(isTiny, tiny, choose(isWide, wide, narrow)) - f);
}

// Of x + rest, x in [-pi/4, pi/4]. `isWhole` where there is no rest, and one term less to round.
static RF_INLINE vd fdlibmSine(vd x, vd rest, vq isWhole) {
  const double series[] = {8.33333333332248946124e-03, -1.98412698298579493134e-04, 2.75573137070700676789e-06,
                           -2.50507602534068634195e-08, 1.58969099521155010221e-10};
  constexpr double kFirst = -1.66666666666666324348e-01;
  const vd z = x * x, v = z * x, r = polynomial(z, series);
  const vd whole = x + rounded(v * (rounded(z * r) + kFirst));
  const vd split = x - ((rounded(z * (rest * 0.5 - rounded(v * r))) - rest) - rounded(v * kFirst));
  return choose(isWhole, whole, split);
}
static RF_INLINE vd fdlibmCosine(vd x, vd rest) {
  const double series[] = {4.16666666666666019037e-02, -1.38888888888741095749e-03, 2.48015872894767294178e-05,
                           -2.75573143513906633035e-07, 2.08757232129817482790e-09, -1.13596475577881948265e-11};
  const vq high = ((vq)x >> 32) & 0x7fffffffu;
  const vd z = x * x, r = z * polynomial(z, series);
  const vd quarter = choose((vq)(high > 0x3fe90000u), splatDouble(0.28125), (vd)((high - 0x200000u) << 32));
  const vd q = choose((vq)(high < 0x3fd33333u), (vd){}, quarter);
  return (1. - q) - ((z * 0.5 - q) - (rounded(z * r) - rounded(x * rest)));
}

// An angle is `quarters` pi / 2, where that is a sum of numbers of 33 bits whose small multiples are exact, and a rest of two parts.
static RF_INLINE void fdlibmCosSin(vd angle, vd* cosine, vd* sine) {
  constexpr double kFirst = 1.57079632673412561417, kFirstRest = 6.07710050650619224932e-11;
  constexpr double kSecond = 6.07710050630396597660e-11, kSecondRest = 2.02226624879595063154e-21;
  const vq high = (vq)angle >> 32;
  const vq isWhole = (vq)(high <= 0x3fe921fbu);
  const vd count = rounded(angle * 6.36619772367581382433e-01) + 0.5;
  const vq quarters = ~isWhole & -((vq)(count >= 1.) + (vq)(count >= 2.) + (vq)(count >= 3.) + (vq)(count >= 4.));
  const vd n = toDouble(quarters);

  const vd far = angle - rounded(n * kFirst), farRest = rounded(n * kFirstRest);
  // Near a multiple most digits cancel, and more are needed.
  const vd second = rounded(n * kSecond), near = far - second;
  const vd nearRest = rounded(n * kSecondRest) - ((far - near) - second);
  const vq isNear = (vq)(high == 0x3ff921fbu) | (vq)(high == 0x400921fbu) | (vq)(high == 0x4012d97cu) | (vq)(high == 0x401921fbu);
  const vd r = choose(isNear, near, far), w = choose(isNear, nearRest, farRest);
  const vd x = r - w, rest = (r - x) - w;

  const vd s = fdlibmSine(x, rest, isWhole), c = fdlibmCosine(x, rest);
  const vq odd = -(quarters & 1);
  *cosine = (vd)((vq)choose(odd, s, c) ^ (((quarters + 1) & 2) << 62));
  *sine = (vd)((vq)choose(odd, c, s) ^ ((quarters & 2) << 62));
}

}  // namespace RF_NS
}  // namespace rectiflow
