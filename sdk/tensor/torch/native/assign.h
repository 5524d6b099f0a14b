// Linear assignment, exact: Jonker and Volgenant, Computing 38 (1987). A column for each row, the sum of costs smallest.
// An assigned row never has a column with a smaller (cost - price) than its own; free rows are brought in one by one.
// Nearly all of the time goes into looking along a row of costs, block by block, in a loop that the compiler vectorises.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#if defined(__x86_64__) && defined(__linux__)
// one copy for each kind of processor; the loader takes the best one that runs
#define FOR_EACH_PROCESSOR __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif

namespace assignment {
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int32_t kBlock = 128;

// Eight numbers at once, by the vector extension of g++ and clang: neither vectorises a minimum that keeps infinities.
typedef double Doubles __attribute__((vector_size(64)));
typedef float Floats __attribute__((vector_size(32)));
constexpr int32_t kLanes = 8;
#define INLINE inline __attribute__((always_inline))
#define INLINE_LAMBDA __attribute__((always_inline))
static INLINE void load(const double* from, Doubles& x) { std::memcpy(&x, from, sizeof x); }
static INLINE void load(const float* from, Doubles& x) {
  Floats narrow;
  std::memcpy(&narrow, from, sizeof narrow);
  x = __builtin_convertvector(narrow, Doubles);
}
template <class Number>
static INLINE void load(const Number* from, double& x) { x = *from; }
template <class Number>
static INLINE void store(double* to, const Number& x) { std::memcpy(to, &x, sizeof x); }
static INLINE double smallest(const Doubles& x) {
  double least = x[0];
  for (int32_t lane = 1; lane < kLanes; lane++) least = x[lane] < least ? x[lane] : least;
  return least;
}

// What the loops below do at one place; Number is Doubles, or double for what is left at the end of a row.
// price = min(price, cost); best is the row that it came from. Row numbers are doubles, to be as wide as costs.
template <class Number, class Score>
static INLINE void lowerPrice(const Score* score, double sign, double row, double* price, double* best) {
  Number cost, known, from;
  load(score, cost), load(price, known), load(best, from);
  cost *= sign;
  store(best, cost < known ? Number{} + row : from);
  store(price, cost < known ? cost : known);
}
// reduced = cost - price; low is the smallest
template <class Number, class Score>
static INLINE void reduce(const Score* score, double sign, const double* price, double* reduced, Number& low) {
  Number cost, least;
  load(score, cost), load(price, least);
  cost = sign * cost - least;
  store(reduced, cost);
  low = cost < low ? cost : low;
}
// distance = min(distance, offset + cost - price); low is the smallest of the open columns.
// The distance of a column that is done is NaN: nothing compares as shorter, and it is not the smallest.
template <class Number, class Score>
static INLINE void relax(const Score* score, double sign, double offset, const double* price, double row, double* distance, double* previous, Number& low) {
  Number through, paid, known, from;
  load(score, through), load(price, paid), load(distance, known), load(previous, from);
  through = offset + sign * through - paid;
  store(previous, through < known ? Number{} + row : from);
  known = through < known ? through : known;
  store(distance, known);
  low = known < low ? known : low;
}

// each block's smallest number; `at(j, low)` works at place j
template <class Work>
static INLINE void eachBlock(int32_t m, double* least, Work at) {
  for (int32_t j = 0, end; j < m; j = end) {
    Doubles low = Doubles{} + kInfinity;
    for (end = std::min(m, j + kBlock); j + kLanes <= end; j += kLanes) at(j, low);
    double one = smallest(low);
    for (; j < end; j++) at(j, one);
    *least++ = one;
  }
}
#define ON_SCORES(Score)                                                                                                                                          \
  FOR_EACH_PROCESSOR static void lowerPrices(const Score* score, double sign, double row, double* price, double* best, int32_t m) {                               \
    int32_t j = 0;                                                                                                                                                \
    for (; j + kLanes <= m; j += kLanes) lowerPrice<Doubles>(score + j, sign, row, price + j, best + j);                                                          \
    for (; j < m; j++) lowerPrice<double>(score + j, sign, row, price + j, best + j);                                                                             \
  }                                                                                                                                                               \
  FOR_EACH_PROCESSOR static void reduceAll(const Score* score, double sign, const double* price, double* reduced, double* least, int32_t m) {                     \
    eachBlock(m, least, [=](int32_t j, auto& low) INLINE_LAMBDA { reduce(score + j, sign, price + j, reduced + j, low); });                                       \
  }                                                                                                                                                               \
  FOR_EACH_PROCESSOR static void relaxAll(const Score* score, double sign, double offset, const double* price, double row, double* distance,                      \
                                          double* previous, double* least, int32_t m) {                                                                           \
    eachBlock(m, least, [=](int32_t j, auto& low) INLINE_LAMBDA { relax(score + j, sign, offset, price + j, row, distance + j, previous + j, low); });            \
  }
ON_SCORES(float)
ON_SCORES(double)
#undef ON_SCORES
#undef INLINE
#undef INLINE_LAMBDA

// A cost is sign * score, so that scores are read where they lie. Score is float or double.
template <class Score>
class Solver {
  const Score* score;
  const double sign;
  const int32_t n, m;
  std::vector<double> price, distance, previous, least;
  std::vector<int32_t> rowOf;

  const Score* row(int32_t i) const { return score + (int64_t)i * m; }
  double cost(int32_t i, int32_t j) const { return sign * row(i)[j]; }
  int32_t blockEnd(int32_t block) const { return std::min(m, (block + 1) * kBlock); }

  // Each column's price is its smallest cost, and the column goes to that row if the row is free.
  void reduceColumns() {
    price.assign(m, kInfinity);
    for (int32_t i = 0; i < n; i++) lowerPrices(row(i), sign, i, price.data(), previous.data(), m);
    for (int32_t j = m; j-- > 0;) {
      int32_t best = (int32_t)previous[j];
      if (columnOf[best] < 0) columnOf[best] = j, rowOf[j] = best;
    }
  }

  // A free row takes its cheapest column and lowers the price until its second cheapest is as good; the row that had
  // the column is free now and goes next. Steps are bounded, as rounding can let two rows outbid each other for long.
  void reduceRows() {
    int64_t steps = 4 * (int64_t)n;
    for (int32_t i = 0; i < n; i++) {
      for (int32_t free = columnOf[i] < 0 ? i : -1; free >= 0 && steps > 0; steps--) {
        double* reduced = distance.data();
        reduceAll(row(free), sign, price.data(), reduced, least.data(), m);
        int32_t block = (int32_t)(std::min_element(least.begin(), least.end()) - least.begin());
        double first = least[block], second = kInfinity;
        int32_t j1 = (int32_t)(std::find(reduced + block * kBlock, reduced + blockEnd(block), first) - reduced);
        for (int32_t j = block * kBlock; j < blockEnd(block); j++) if (j != j1) second = std::min(second, reduced[j]);
        for (int32_t b = 0; b < (int32_t)least.size(); b++) if (b != block) second = std::min(second, least[b]);
        double lowered = price[j1] - (second - first);
        bool wins = lowered < price[j1];
        if (wins) price[j1] = lowered;
        else if (rowOf[j1] >= 0) {  // an equally cheap column may be free: the next one with the second value
          for (int32_t j = j1 + 1; j < m; j++) if (reduced[j] == second) { j1 = j; break; }
        }
        int32_t displaced = rowOf[j1];
        rowOf[j1] = free, columnOf[free] = j1;
        if (displaced >= 0) columnOf[displaced] = -1;
        free = wins ? displaced : -1;
      }
    }
  }

  // The nearest open column, a free one if there are several.
  int32_t nearest() const {
    double reached = *std::min_element(least.begin(), least.end());
    int32_t found = -1;
    for (int32_t b = 0; b < (int32_t)least.size(); b++) {
      if (least[b] != reached) continue;
      for (int32_t j = b * kBlock; j < blockEnd(b); j++) {
        if (distance[j] != reached) continue;
        if (rowOf[j] < 0) return j;
        if (found < 0) found = j;
      }
    }
    return found;
  }

  // The cheapest chain of exchanges from a free row to a free column (Dijkstra over the columns), then the exchanges.
  void augment(int32_t start) {
    std::fill(distance.begin(), distance.end(), kInfinity);
    done.clear();
    int32_t current = start, end = -1;
    double reached = 0;
    for (;;) {
      int32_t own = columnOf[current];
      double offset = reached - (own < 0 ? 0 : cost(current, own) - price[own]);
      relaxAll(row(current), sign, offset, price.data(), current, distance.data(), previous.data(), least.data(), m);
      end = nearest();
      reached = distance[end];
      if (rowOf[end] < 0) break;
      done.push_back({end, reached});
      distance[end] = NAN;
      current = rowOf[end];
    }
    for (auto [column, at] : done) price[column] += at - reached;
    for (int32_t column = end;;) {
      int32_t taker = (int32_t)previous[column], next = columnOf[taker];
      rowOf[column] = taker, columnOf[taker] = column;
      if (taker == start) return;
      column = next;
    }
  }
  struct Done { int32_t column; double distance; };
  std::vector<Done> done;

 public:
  std::vector<int32_t> columnOf;

  // rows <= columns; every score is finite
  Solver(const Score* score, double sign, int32_t rows, int32_t columns)
      : score(score), sign(sign), n(rows), m(columns), price(columns, 0), distance(columns), previous(columns), least((columns + kBlock - 1) / kBlock), rowOf(columns, -1), columnOf(rows, -1) {
    if (n == m && n > 0) reduceColumns();
    if (m > 1) reduceRows(), reduceRows();
    for (int32_t i = 0; i < n; i++) if (columnOf[i] < 0) augment(i);
  }
};
}  // namespace assignment
