//! Which track takes which box.

/// The pairs with the smallest sum of costs, as the column of each row. Pairs that cost more than
/// `limit` stay apart.
pub(super) fn assign(
    [rows, columns]: [usize; 2],
    limit: f32,
    costs: impl Fn(usize, usize) -> f32,
) -> Vec<Option<usize>> {
    // Square, so that every row has a column: staying apart costs as much as the limit, for which a
    // row has a column of its own and a column a row.
    let size = rows + columns;
    // Computed once: the search asks for each of them many times.
    let pairs = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    let costs: Vec<f32> = pairs.map(|(row, column)| costs(row, column)).collect();
    let of_pair = |row: usize, column: usize| costs[row * columns + column];
    let cost = |row: usize, column: usize| match (row < rows, column < columns) {
        (true, true) => f64::from(of_pair(row, column)),
        (false, false) => 0.0,
        _ => f64::from(limit) / 2.0,
    };
    let mut assigned = hungarian(size, cost);
    assigned.truncate(rows);
    let keep = |(row, column): (usize, usize)| {
        (column < columns && of_pair(row, column) <= limit).then_some(column)
    };
    assigned.into_iter().enumerate().map(keep).collect()
}

/// The Hungarian method with potentials, one row after another along shortest paths (Kuhn, Munkres;
/// Jonker and Volgenant): the column of each row, for the smallest sum.
fn hungarian(size: usize, cost: impl Fn(usize, usize) -> f64) -> Vec<usize> {
    // Column `size` is where each path begins.
    let mut row_potential = vec![0.0; size + 1];
    let mut column_potential = vec![0.0; size + 1];
    let mut row_of = vec![size; size + 1];
    for row in 0..size {
        row_of[size] = row;
        let mut distance = vec![f64::INFINITY; size + 1];
        let mut previous = vec![size; size + 1];
        let mut done = vec![false; size + 1];
        let mut column = size;
        while row_of[column] != size {
            done[column] = true;
            let from = row_of[column];
            let mut nearest = size;
            let mut step = f64::INFINITY;
            for next in (0..size).filter(|&next| !done[next]) {
                let reduced = cost(from, next) - row_potential[from] - column_potential[next];
                if reduced < distance[next] {
                    distance[next] = reduced;
                    previous[next] = column;
                }
                if distance[next] < step {
                    step = distance[next];
                    nearest = next;
                }
            }
            for other in 0..=size {
                if done[other] {
                    row_potential[row_of[other]] += step;
                    column_potential[other] -= step;
                } else {
                    distance[other] -= step;
                }
            }
            column = nearest;
        }
        while column != size {
            row_of[column] = row_of[previous[column]];
            column = previous[column];
        }
    }
    let mut column_of = vec![0; size];
    for column in 0..size {
        column_of[row_of[column]] = column;
    }
    column_of
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest cost by trying everything.
    fn least(costs: &[f32], columns: usize, limit: f32, row: usize, taken: &mut Vec<bool>) -> f32 {
        if row * columns == costs.len() {
            return 0.0;
        }
        let mut best = limit + least(costs, columns, limit, row + 1, taken);
        for column in 0..columns {
            let cost = costs[row * columns + column];
            if !taken[column] && cost <= limit {
                taken[column] = true;
                best = best.min(cost + least(costs, columns, limit, row + 1, taken));
                taken[column] = false;
            }
        }
        best
    }

    #[test]
    fn the_sum_is_the_smallest() {
        // A generator of its own: the sequence is part of the test.
        let mut state = 1u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32
        };
        for rows in 0..6 {
            for columns in 1..6 {
                let costs: Vec<f32> = (0..rows * columns).map(|_| random()).collect();
                let limit = random();
                let at = |row: usize, column: usize| costs[row * columns + column];
                let assigned = assign([rows, columns], limit, at);
                let cost = |(row, column): (usize, &Option<usize>)| {
                    column.map_or(limit, |column| at(row, column))
                };
                let sum: f32 = assigned.iter().enumerate().map(cost).sum();
                let best = least(&costs, columns, limit, 0, &mut vec![false; columns]);
                assert!((sum - best).abs() < 1e-5, "{rows} {columns} {assigned:?}");
                let mut taken: Vec<usize> = assigned.into_iter().flatten().collect();
                taken.sort_unstable();
                let distinct = taken.len();
                taken.dedup();
                assert_eq!(taken.len(), distinct);
            }
        }
    }

    #[test]
    fn the_nearest_is_given_up_for_a_better_sum() {
        let costs = [[0.1, 0.2], [0.15, 0.6]];
        assert_eq!(assign([2, 2], 0.8, |row, column| costs[row][column]), [Some(1), Some(0)]);
        // Now the second row would have nothing, and stays apart.
        let costs = [[0.1, 0.9], [0.15, 0.9]];
        assert_eq!(assign([2, 2], 0.8, |row, column| costs[row][column]), [Some(0), None]);
    }

    #[test]
    fn nothing_is_assigned_to_nothing() {
        assert_eq!(assign([0, 3], 0.5, |_, _| 0.0), []);
        assert_eq!(assign([2, 0], 0.5, |_, _| 0.0), [None, None]);
    }
}
