package main

import "slices"

// A series is what one peer or engine did in every round of a scenario. One
// failed run takes all its figures away.
type series[R any] struct {
	Name  string `json:"name"`
	Runs  []R    `json:"runs,omitempty"`
	Error string `json:"error,omitempty"`
}

type row[R any] struct {
	Scenario string      `json:"scenario"`
	Series   []series[R] `json:"series"`
}

// interleave runs everyone once a round, each round starting with the next one,
// so that no peer always follows the same other and drift hits all alike.
func interleave[R any](names []string, rounds int, run func(i, round int) (R, error)) []series[R] {
	all := make([]series[R], len(names))
	for i, name := range names {
		all[i].Name = name
	}
	for round := range rounds {
		for k := range names {
			i := (round + k) % len(names)
			s := &all[i]
			if s.Error != "" {
				continue
			}
			r, err := run(i, round)
			if err != nil {
				s.Error, s.Runs = err.Error(), nil
				continue
			}
			s.Runs = append(s.Runs, r)
		}
	}
	return all
}

func (s series[R]) values(of func(R) float64) []float64 {
	v := make([]float64, len(s.Runs))
	for i, r := range s.Runs {
		v[i] = of(r)
	}
	return v
}

// base returns the series that the others are compared with; an empty one if
// that was not measured.
func (r row[R]) base(name string) series[R] {
	if i := slices.IndexFunc(r.Series, func(s series[R]) bool { return s.Name == name }); i >= 0 {
		return r.Series[i]
	}
	return series[R]{}
}
