// Linear assignment, exact: Jonker and Volgenant, Computing 38 (1987). A column for each row, the sum of costs smallest.
// An assigned row never has a column with a smaller (cost - price) than its own; free rows are brought in one by one.
#pragma once
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

class Assignment {
  static constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const double* cost;
  const int32_t n, m;
  std::vector<double> price, distance;
  std::vector<int32_t> rowOf, previous, open;

  const double* row(int32_t i) const { return cost + (int64_t)i * m; }

  // Each column's price is its smallest cost, and the column goes to that row if the row is free.
  void reduceColumns() {
    std::vector<int32_t> best(m, 0);
    price.assign(cost, cost + m);
    for (int32_t i = 1; i < n; i++) {
      const double* c = row(i);
      for (int32_t j = 0; j < m; j++) if (c[j] < price[j]) price[j] = c[j], best[j] = i;
    }
    for (int32_t j = m; j-- > 0;) if (columnOf[best[j]] < 0) columnOf[best[j]] = j, rowOf[j] = best[j];
  }

  // A free row takes its cheapest column and lowers the price until its second cheapest is as good; the row that had
  // the column is free now and goes next. Steps are bounded, as rounding can let two rows outbid each other for long.
  void reduceRows() {
    int64_t steps = 4 * (int64_t)n;
    for (int32_t i = 0; i < n; i++) {
      for (int32_t free = columnOf[i] < 0 ? i : -1; free >= 0 && steps > 0; steps--) {
        const double* c = row(free);
        double first = kInfinity, second = kInfinity;
        int32_t j1 = -1, j2 = -1;
        for (int32_t j = 0; j < m; j++) {
          double reduced = c[j] - price[j];
          if (reduced >= second) continue;
          if (reduced < first) second = first, j2 = j1, first = reduced, j1 = j;
          else second = reduced, j2 = j;
        }
        double lowered = price[j1] - (second - first);
        bool wins = lowered < price[j1];
        if (wins) price[j1] = lowered;
        else if (rowOf[j1] >= 0) j1 = j2;
        int32_t displaced = rowOf[j1];
        rowOf[j1] = free, columnOf[free] = j1;
        if (displaced >= 0) columnOf[displaced] = -1;
        free = wins ? displaced : -1;
      }
    }
  }

  // The cheapest chain of exchanges from a free row to a free column (Dijkstra over the columns), then the exchanges.
  void augment(int32_t start) {
    std::fill(distance.begin(), distance.end(), kInfinity);
    for (int32_t j = 0; j < m; j++) open[j] = j;
    int32_t count = m, current = start, end = -1;
    double reached = 0;
    while (end < 0) {
      const double* c = row(current);
      int32_t own = columnOf[current], at = -1;
      double offset = reached - (own < 0 ? 0 : c[own] - price[own]), lowest = kInfinity;
      for (int32_t k = 0; k < count; k++) {
        int32_t j = open[k];
        double through = offset + c[j] - price[j];
        if (through < distance[j]) distance[j] = through, previous[j] = current;
        if (distance[j] < lowest || (distance[j] == lowest && rowOf[j] < 0)) lowest = distance[j], at = k;
      }
      int32_t column = open[at];
      reached = lowest;
      open[at] = open[--count], open[count] = column;  // columns that are done gather at the end
      if (rowOf[column] < 0) end = column;
      else current = rowOf[column];
    }
    for (int32_t k = count + 1; k < m; k++) price[open[k]] += distance[open[k]] - reached;
    for (int32_t column = end;;) {
      int32_t taker = previous[column], next = columnOf[taker];
      rowOf[column] = taker, columnOf[taker] = column;
      if (taker == start) return;
      column = next;
    }
  }

 public:
  std::vector<int32_t> columnOf;

  // rows <= columns; every cost is finite
  Assignment(const double* cost, int32_t rows, int32_t columns)
      : cost(cost), n(rows), m(columns), price(columns, 0), distance(columns), rowOf(columns, -1), previous(columns, -1), open(columns), columnOf(rows, -1) {
    if (n == m && n > 0) reduceColumns();
    if (m > 1) reduceRows(), reduceRows();
    for (int32_t i = 0; i < n; i++) if (columnOf[i] < 0) augment(i);
  }
};
