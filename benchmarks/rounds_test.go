package main

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRoundsRotate(t *testing.T) {
	var order []int
	all := interleave([]string{"a", "b", "c"}, 3, func(i, round int) (int, error) {
		order = append(order, i)
		return 10*i + round, nil
	})
	require.Equal(t, []int{0, 1, 2, 1, 2, 0, 2, 0, 1}, order)
	require.Equal(t, []int{10, 11, 12}, all[1].Runs, "runs are in the order of the rounds")
}

func TestOneFailureTakesAllFiguresAway(t *testing.T) {
	runs := 0
	all := interleave([]string{"good", "bad"}, 4, func(i, round int) (int, error) {
		if i == 1 {
			if runs++; round == 2 {
				return 1, errors.New("a wrong byte")
			}
		}
		return 1, nil
	})
	require.Len(t, all[0].Runs, 4)
	require.Empty(t, all[0].Error)
	require.Empty(t, all[1].Runs)
	require.Equal(t, "a wrong byte", all[1].Error)
	require.Equal(t, 3, runs, "nothing is run after a failure")
	require.True(t, anyFailed([]row[int]{{Series: all}}))
	require.Equal(t, "good", row[int]{Series: all}.base("good").Name)
	require.Empty(t, row[int]{Series: all}.base("other").Name)
}

func TestPick(t *testing.T) {
	all := []peer{{name: "b"}, {name: "a"}, {name: "c"}}
	got, err := pick(all, "")
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "c"}, namesOf(got))
	got, err = pick(all, "c,a")
	require.NoError(t, err)
	require.Equal(t, []string{"c", "a"}, namesOf(got))
	for _, bad := range []string{"d", "a,", "a,a"} {
		_, err = pick(all, bad)
		require.Error(t, err, bad)
	}
}
