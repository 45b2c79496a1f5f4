module {{name}}

go 1.27

require sendbox v0.0.0

replace sendbox => ./sdk
