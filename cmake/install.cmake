# What applications need to build against an installed Unbraid: c++ app.cpp $(pkg-config --cflags --libs unbraid)
configure_file(${PROJECT_SOURCE_DIR}/cmake/unbraid.pc.in ${CMAKE_BINARY_DIR}/unbraid.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/unbraid.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
